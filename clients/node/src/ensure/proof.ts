import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
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
  const tokenKey = keyOf(token);
  const { instanceId, address, proof } = await ask(channel, { nonce, tokenKey }, options);
  const message = Buffer.concat([Buffer.from(`${prefix}\n${instanceId}\n${address}\n`), nonce]);
  const right = createHmac("sha256", tokenKey === "" ? token : digest(token))
    .update(message)
    .digest();
  if (proof.byteLength !== right.byteLength || !timingSafeEqual(proof, right))
    throw notProven(channel, "does not know this token: it is no driver, or the token is another one's");
  if (expected !== undefined && expected.instanceId !== instanceId)
    throw notProven(channel, `is instance ${instanceId}, not ${expected.instanceId} as its address file says`);
  if (expected !== undefined && expected.address !== address)
    throw notProven(channel, `passes on the proof of the driver at ${address}`);
}

async function ask(channel: Transport, request: { nonce: Uint8Array; tokenKey: string }, options: CallOptions) {
  try {
    return await channel.unary(DriverService.method.proveIdentity, request, options);
  } catch (error) {
    if (!(error instanceof DroverError) || unanswered.has(error.reason)) throw error;
    throw notProven(channel, `is no driver: ${error.message}`, error);
  }
}

/** Of a token that an administrator has made, the part that is no secret; empty for the one of the token file. */
function keyOf(token: string): string {
  return /^drv_([0-9a-f]{12})_[\w-]{43}$/.exec(token)?.[1] ?? "";
}

/** All that the driver keeps of such a token. */
function digest(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** These say nothing of who it is. Any other answer than a proof comes from somebody else, or a driver from before there was one. */
const unanswered: ReadonlySet<string> = new Set([
  ...["UNREACHABLE", "STREAM_CUT", "DEADLINE_EXCEEDED", "CANCELLED", "CLIENT_CLOSED", "NOT_SERVING"],
]);

function notProven({ address }: Transport, why: string, cause?: unknown): DroverError {
  return clientError("DRIVER_NOT_PROVEN", `what listens at ${address} ${why}`, { cause, metadata: { address } });
}
