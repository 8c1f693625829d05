import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { clientError, DroverError } from "../errors.ts";
import { DriverService } from "../gen/drover/v1/driver_service_pb.js";
import type { CallOptions, Transport } from "../transport/transport.ts";

/** What the driver must be beside knowing the token; from its address file. */
export interface ExpectedDriver {
  readonly instanceId: string;
  readonly address: string;
}

const prefix = "drover-driver-proof-v1";
const nonceBytes = 32;

/**
 * Makes the driver at the other end show that it knows the token (docs/lifecycle.md), over a channel that carries no token
 * itself. Throws DRIVER_NOT_PROVEN.
 */
export async function demandProof(
  channel: Transport,
  token: string,
  expected: ExpectedDriver | undefined,
  options: CallOptions,
): Promise<void> {
  const nonce = randomBytes(nonceBytes);
  const { instanceId, address, proof } = await ask(channel, nonce, options);
  const message = Buffer.concat([Buffer.from(`${prefix}\n${instanceId}\n${address}\n`), nonce]);
  const right = createHmac("sha256", token).update(message).digest();
  if (proof.byteLength !== right.byteLength || !timingSafeEqual(proof, right))
    throw notProven(channel, "does not know this token: it is no driver, or the token is another one's");
  if (expected !== undefined && expected.instanceId !== instanceId)
    throw notProven(channel, `is instance ${instanceId}, not ${expected.instanceId} as its address file says`);
  if (expected !== undefined && expected.address !== address)
    throw notProven(channel, `passes on the proof of the driver at ${address}`);
}

async function ask(channel: Transport, nonce: Uint8Array, options: CallOptions) {
  try {
    return await channel.unary(DriverService.method.proveIdentity, { nonce }, options);
  } catch (error) {
    if (!(error instanceof DroverError) || unanswered.has(error.reason)) throw error;
    throw notProven(channel, `is no driver: ${error.message}`, error);
  }
}

/** These say nothing of who it is. Any other answer than a proof comes from somebody else, or a driver from before there was one. */
const unanswered: ReadonlySet<string> = new Set([
  ...["UNREACHABLE", "STREAM_CUT", "DEADLINE_EXCEEDED", "CANCELLED", "CLIENT_CLOSED", "NOT_SERVING"],
]);

function notProven({ address }: Transport, why: string, cause?: unknown): DroverError {
  return clientError("DRIVER_NOT_PROVEN", `what listens at ${address} ${why}`, { cause, metadata: { address } });
}
