import { createHmac } from "node:crypto";

export interface ProvenIdentity {
  readonly instanceId: string;
  /** `host:port` where the driver itself listens. */
  readonly address: string;
}

const PREFIX = "drover-driver-proof-v1";

/** Shows to whoever knows the token, and to nobody else, that this driver knows it; docs/lifecycle.md says how it is checked. */
export function proveIdentity(token: string, { instanceId, address }: ProvenIdentity, nonce: Uint8Array): Buffer {
  return createHmac("sha256", token).update(`${PREFIX}\n${instanceId}\n${address}\n`).update(nonce).digest();
}
