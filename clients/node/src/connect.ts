import { type AddressFileLocation, readAddressFile } from "./address-file.ts";
import { Drover } from "./client.ts";
import { dial } from "./ensure/dial.ts";
import { readToken, type TokenOptions } from "./token.ts";
import type { ConnectionOptions } from "./transport/open-client.ts";
import type { CallOptions } from "./transport/transport.ts";

/** Where a driver is. */
export interface ConnectOptions extends ConnectionOptions, TokenOptions {
  /** `host:port`. */
  readonly address: string;
}

const handshakeTimeoutMs = 10_000;

/**
 * Connects to a driver, once: it is neither looked for nor started, as `ensureDriver` does. The driver proves that it knows
 * the token before it is shown the token. Throws UNREACHABLE, DRIVER_NOT_PROVEN, UNAUTHENTICATED, UNREADABLE_TOKEN,
 * INCOMPATIBLE_DRIVER, or DEADLINE_EXCEEDED after `timeoutMs` (default 10 s).
 */
export async function connect(options: ConnectOptions, call: CallOptions = {}): Promise<Drover> {
  const token = await readToken(options);
  const { channel } = await dial(
    { ...options, token, again: true },
    { ...call, timeoutMs: call.timeoutMs ?? handshakeTimeoutMs },
  );
  return new Drover(channel);
}

/** Connects to the driver that runs for a profile, once. Throws DRIVER_NOT_FOUND if there is none. */
export async function connectByAddressFile(
  options: AddressFileLocation & ConnectionOptions & TokenOptions = {},
  call: CallOptions = {},
): Promise<Drover> {
  const found = await readAddressFile(options);
  const { address, instanceId, tls } = found;
  const tokenFile = options.tokenFile ?? found.tokenFile;
  const token = await readToken({ ...options, tokenFile });
  const { channel } = await dial(
    {
      ...options,
      address,
      token,
      tls: tls ? (options.tls ?? {}) : undefined,
      expected: { instanceId, address },
      again: true,
    },
    { ...call, timeoutMs: call.timeoutMs ?? handshakeTimeoutMs },
  );
  return new Drover(channel);
}
