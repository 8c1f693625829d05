import { expect, test } from "vitest";
import { proveIdentity } from "../../../src/lifecycle/identity-proof.ts";

const identity = { instanceId: "an-instance", address: "127.0.0.1:4000" };
const nonce = Buffer.alloc(32, 7);

test("the proof is the one of docs/lifecycle.md", () => {
  // printf 'drover-driver-proof-v1\nan-instance\n127.0.0.1:4000\n' | cat - NONCE | openssl dgst -sha256 -hmac a-token-of-16-or-more
  const expected = "b58905d19e49d002d752d731f203cb48695871fd9724e0e5677b43fa4c3850d3";
  expect(proveIdentity("a-token-of-16-or-more", identity, nonce).toString("hex")).toBe(expected);
});

test.each([
  ["token", proveIdentity("another-token-of-16", identity, nonce)],
  ["instance", proveIdentity("a-token-of-16-or-more", { ...identity, instanceId: "another" }, nonce)],
  ["address", proveIdentity("a-token-of-16-or-more", { ...identity, address: "127.0.0.1:4001" }, nonce)],
  ["nonce", proveIdentity("a-token-of-16-or-more", identity, Buffer.alloc(32, 8))],
])("another %s makes another proof", (_what, proof) => {
  expect(proof).not.toEqual(proveIdentity("a-token-of-16-or-more", identity, nonce));
});
