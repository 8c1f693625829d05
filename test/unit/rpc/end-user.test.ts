import { expect, test } from "vitest";
import { type Bearer, createAccess } from "../../../src/access/access.ts";
import { ActiveCall } from "../../../src/rpc/call.ts";
import { readEndUser } from "../../../src/rpc/end-user.ts";

test.each(["ann", "Ann Lee <ann@example.com>", "x".repeat(200)])("%j names an end user", (name) => {
  expect(readEndUser(name)).toBe(name);
});

test.each(["", "x".repeat(201), "tab\there", "line\nfeed", "J\u00f6rg", "\u001b[31mred"])("%j names nobody", (name) => {
  expect(() => readEndUser(name)).toThrow(expect.objectContaining({ reason: "INVALID_REQUEST" }));
});

const bearer: Bearer = { principal: "owner", tokenId: undefined, role: "admin", scope: undefined };

function call(peer: string, endUser?: string): ActiveCall {
  const made = new ActiveCall({
    ...{ requestId: "r", traceparent: undefined, bearer, protocol: "grpc", json: false },
    endUserHeader: endUser,
    scopeHeader: undefined,
    deadlineMs: undefined,
    peer: () => peer,
    watch: () => undefined,
  });
  made.access = createAccess(bearer, { endUser, scope: undefined });
  return made;
}

test("without an end user the principal asked, and connections take turns", () => {
  expect(call("1.2.3.4:5")).toMatchObject({ requestedBy: "owner", turn: "connection 1.2.3.4:5" });
  expect(call("1.2.3.4:6").turn).not.toBe(call("1.2.3.4:5").turn);
});

test("an end user has one turn, whatever connections the calls come by", () => {
  expect(call("1.2.3.4:5", "ann")).toMatchObject({ requestedBy: "ann", turn: "user ann" });
  expect(call("1.2.3.4:6", "ann").turn).toBe(call("1.2.3.4:5", "ann").turn);
  expect(call("1.2.3.4:5", "bob").turn).not.toBe(call("1.2.3.4:5", "ann").turn);
});
