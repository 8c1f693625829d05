import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampDate } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DatasetService } from "../../src/gen/drover/v1/dataset_service_pb.js";
import { DriverService } from "../../src/gen/drover/v1/driver_service_pb.js";
import { OperationKind, OperationService, OperationState } from "../../src/gen/drover/v1/operation_service_pb.js";
import { MeasureOp } from "../../src/gen/drover/v1/query_pb.js";
import { QueryService } from "../../src/gen/drover/v1/query_service_pb.js";
import { SourceService } from "../../src/gen/drover/v1/source_service_pb.js";
import { Role, TokenService } from "../../src/gen/drover/v1/token_service_pb.js";
import { UploadService } from "../../src/gen/drover/v1/upload_service_pb.js";
import { startDriver, type TestDriver } from "../helpers/driver.ts";
import { explain, failure, GrpcClient } from "../helpers/grpc-client.ts";
import { type HeldFile, holdFile } from "../helpers/held-file.ts";
import { holdToken, type TokenHolder } from "../helpers/tokens.ts";

const { createToken, listTokens, rotateToken, revokeToken } = TokenService.method;
const { query, runQuery, watchQuery } = QueryService.method;
const { listOperations, getOperation, cancelOperation } = OperationService.method;
const { loadDataset, watchLoad } = DatasetService.method;
const { getDriver, attach, drain } = DriverService.method;
const PATIENT = { timeout: 30_000 };
const ONE = { question: { kind: { case: "sql" as const, value: { sql: "SELECT 1 AS x" } } } };
const SHARED = { question: { kind: { case: "sql" as const, value: { sql: "SELECT a FROM shared" } } } };
const ENDLESS = {
  question: { kind: { case: "sql" as const, value: { sql: "SELECT i, i * 2 AS j FROM range(50000000) t(i)" } } },
};

let driver: TestDriver;
let second: TestDriver;
let admin: GrpcClient;
let held: HeldFile;

beforeAll(async () => {
  driver = await startDriver();
  second = await startDriver({ dataDir: driver.dataDir, profile: "second", config: "" });
  admin = new GrpcClient(driver.address, { token: driver.token });
  held = await holdFile("held.csv", `a,b\n${"1,2\n".repeat(100)}`);
});

afterAll(async () => {
  admin[Symbol.dispose]();
  await held[Symbol.asyncDispose]();
  await second[Symbol.asyncDispose]();
  await driver[Symbol.asyncDispose]();
});

/** Calls that are under way all at once; none is left alone to fail. */
function failures(calls: readonly Promise<unknown>[]) {
  return Promise.all(calls.map(failure));
}

async function infoOf(name: string) {
  const { response } = await admin.unary(listTokens, {});
  return response.tokens.find((token) => token.name === name);
}

function post(path: string, token: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`http://${driver.address}/${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
    body: "{}",
  });
}

function page(path: string, token: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`http://${driver.address}${path}`, { headers: { authorization: `Bearer ${token}`, ...headers } });
}

/** The headers of a call for an end user that gives something up. */
function scoped(scope: unknown, endUser?: string): Record<string, string> {
  return {
    "drover-scope": typeof scope === "string" ? scope : Buffer.from(JSON.stringify(scope)).toString("base64url"),
    ...(endUser !== undefined && { "drover-end-user": endUser }),
  };
}

describe("a token", () => {
  test("is shown once, kept as a digest, and works over gRPC and HTTP/1.1", async () => {
    using holder = await holdToken(driver, { name: "shown", lifetime: durationFromMs(3_600_000) });
    expect(holder.token).toMatch(/^drv_[0-9a-f]{12}_[\w-]{43}$/);
    await holder.client.unary(query, ONE);
    expect((await post("drover.v1.DatasetService/ListDatasets", holder.token)).status).toBe(200);
    const kept = await Promise.all(
      ["catalog.sqlite", "catalog.sqlite-wal"].map((file) => readFile(join(driver.dataDir, file), "latin1")),
    );
    const secret = holder.token.split("_").slice(2).join("_");
    expect(kept.join("")).not.toContain(secret);
    expect(driver.log()).not.toContain(secret);
    const info = await infoOf("shown");
    expect(info).toMatchObject({ role: Role.READER, createdBy: "owner" });
    expect([info?.scope, info?.previousExpireTime]).toEqual([undefined, undefined]);
    expect(holder.token.startsWith(`drv_${info?.key}_`)).toBe(true);
    expect(info?.expireTime && timestampDate(info.expireTime).getTime()).toBeGreaterThan(Date.now());
    await expect.poll(async () => (await infoOf("shown"))?.lastUseTime, PATIENT).toBeDefined();
  });

  test("that is nearly right is wrong", async () => {
    using holder = await holdToken(driver, { name: "near" });
    const last = holder.token.endsWith("A") ? "B" : "A";
    for (const token of [`${holder.token.slice(0, -1)}${last}`, `drv_${"0".repeat(12)}_${"A".repeat(43)}`]) {
      using client = new GrpcClient(driver.address, { token });
      expect(await failure(client.unary(getDriver, {}))).toMatchObject({ code: 16, reason: "UNAUTHENTICATED" });
    }
  });

  test("may do what its role says, and no more", async () => {
    using reader = await holdToken(driver, { name: "r", role: Role.READER });
    using loader = await holdToken(driver, { name: "l", role: Role.LOADER });
    using other = await holdToken(driver, { name: "a", role: Role.ADMIN });
    const denied = { code: 7, reason: "ACCESS_DENIED" };
    const { listSourceKinds, listConnections } = SourceService.method;
    expect(await failure(reader.client.unary(listSourceKinds, {}))).toMatchObject({
      ...denied,
      info: { needed: "loader", role: "reader", principal: "r" },
    });
    await loader.client.unary(listSourceKinds, {});
    expect(await failure(loader.client.unary(listConnections, {}))).toMatchObject(denied);
    expect(await failure(loader.client.unary(createToken, { name: "x", role: Role.READER }))).toMatchObject(denied);
    expect(await failure(loader.client.unary(drain, {}))).toMatchObject(denied);
    expect((await post("drover.v1.SourceService/ListConnections", loader.token)).status).toBe(403);
    await other.client.unary(listConnections, {});
    await other.client.unary(listTokens, {});
  });

  test("lets nobody but administrators name secrets, and nobody the driver's own files as such", async () => {
    using loader = await holdToken(driver, { name: "curious", role: Role.LOADER });
    const { createSource, updateSource, testSource, previewSource, listTables, testConnection } = SourceService.method;
    const secret = `file:${join(driver.dataDir, "token")}`;
    const uri = "postgresql://u@127.0.0.1:1/db";
    const source = { uri, options: { table: "t", secret } };
    const ask = ({ client }: { readonly client: GrpcClient }) => [
      client.unary(previewSource, { source }),
      client.unary(testSource, { source }),
      client.stream(listTables, { source }).toArray(),
      client.unary(testConnection, { connection: { uri, secret } }),
    ];
    const changed = { name: "plain", source };
    const turned = { name: "sealed", source: { uri: "postgresql://u@127.0.0.1:2/db" } };
    await admin.unary(createSource, { source: { name: "sealed", source } });
    await admin.unary(createSource, { source: { name: "plain", source: { uri, options: { table: "t" } } } });
    const denied = { code: 7, reason: "ACCESS_DENIED", info: { needed: "admin", role: "loader" } };
    for (const refused of await failures([
      ...ask(loader),
      loader.client.unary(loadDataset, { dataset: "loot", source }),
      loader.client.unary(createSource, { source: { name: "loot", source } }),
      loader.client.unary(updateSource, { source: changed }),
      // What it has would be sent to where it leads then.
      loader.client.unary(updateSource, { source: turned, updateMask: { paths: ["source"] } }),
    ]))
      expect(refused).toMatchObject(denied);
    for (const refused of await failures(ask({ client: admin })))
      expect(refused).toMatchObject({ reason: "SECRET_FORBIDDEN" });
  });

  test("has a name of its own until it is revoked, whatever the case", async () => {
    await admin.unary(createToken, { name: "once", role: Role.READER });
    for (const name of ["once", "ONCE", "owner"]) {
      const again = admin.unary(createToken, { name, role: Role.READER });
      expect(await failure(again)).toMatchObject({ code: 6, reason: "TOKEN_EXISTS" });
    }
    await admin.unary(revokeToken, { name: "Once" });
    await admin.unary(createToken, { name: "once", role: Role.LOADER });
    expect(await failure(admin.unary(revokeToken, { name: "nobody" }))).toMatchObject({ reason: "TOKEN_NOT_FOUND" });
    const { response } = await admin.unary(listTokens, { showRevoked: true });
    expect(
      response.tokens.filter(({ name }) => name === "once").map(({ revokeTime }) => revokeTime !== undefined),
    ).toHaveLength(2);
    expect((await infoOf("once"))?.role).toBe(Role.LOADER);
  });

  test.each([
    ["no name", { name: "", role: Role.READER }, "name"],
    ["a name with a space", { name: "a b", role: Role.READER }, "name"],
    ["no role", { name: "t", role: Role.UNSPECIFIED }, "role"],
    ["an administrator's scope", { name: "t", role: Role.ADMIN, scope: { datasets: ["*"] } }, "scope"],
    ["no time", { name: "t", role: Role.READER, lifetime: durationFromMs(0) }, "lifetime"],
    ["too long a time", { name: "t", role: Role.READER, lifetime: durationFromMs(11 * 366 * 86_400_000) }, "lifetime"],
    ["an empty pattern", { name: "t", role: Role.READER, scope: { datasets: [""] } }, "scope.datasets[0]"],
    [
      "a rule without a condition",
      { name: "t", role: Role.READER, scope: { rows: [{ dataset: "x" }] } },
      "scope.rows[0].filter",
    ],
    [
      "a rule that hides nothing",
      { name: "t", role: Role.READER, scope: { hidden: [{ dataset: "x" }] } },
      "scope.hidden[0].columns",
    ],
  ])("is not made of %s", async (_, request, field) => {
    const refused = await failure(admin.unary(createToken, request));
    expect(refused).toMatchObject({ code: 3, reason: "INVALID_REQUEST" });
    expect(refused.fields).toContain(field);
  });

  test("is proved to by its digest, so that its holder knows the driver before it shows the token", async () => {
    const { createHash, createHmac } = await import("node:crypto");
    using holder = await holdToken(driver, { name: "proof" });
    const nonce = Buffer.alloc(32, 7);
    const tokenKey = holder.token.split("_")[1] ?? "";
    using stranger = new GrpcClient(driver.address, {});
    const { response } = await stranger.unary(DriverService.method.proveIdentity, { nonce, tokenKey });
    const key = createHash("sha256").update(holder.token).digest("hex");
    const { instanceId, address, proof } = response;
    const text = `drover-driver-proof-v1\n${instanceId}\n${address}\n`;
    expect(createHmac("sha256", key).update(text).update(nonce).digest().equals(proof)).toBe(true);
    const unknown = await stranger.unary(DriverService.method.proveIdentity, { nonce, tokenKey: "000000000000" });
    const files = createHmac("sha256", driver.token).update(text).update(nonce).digest();
    expect(files.equals(unknown.response.proof)).toBe(true);
  });
});

describe("the end of a token", () => {
  test("comes by itself, also for calls under way", async () => {
    using holder = await holdToken(driver, { name: "brief", lifetime: durationFromMs(1_500) });
    const lease = holder.client.stream(attach, { clientName: "brief" });
    const [error] = await once(lease.resume(), "error");
    expect(explain(error)).toMatchObject({ code: 16, reason: "TOKEN_EXPIRED" });
    expect(await failure(holder.client.unary(getDriver, {}))).toMatchObject({ code: 16, reason: "TOKEN_EXPIRED" });
    const { response } = await admin.unary(rotateToken, { name: "brief", lifetime: durationFromMs(3_600_000) });
    using again = new GrpcClient(driver.address, { token: response.token });
    await again.unary(getDriver, {});
  });

  test("ends leases and answers under way within a second or so when it is revoked", async () => {
    using holder = await holdToken(driver, { name: "ended", role: Role.LOADER });
    const { client } = holder;
    const lease = client.stream(attach, { clientName: "ended" });
    await once(lease, "data");
    const answer = client.stream(runQuery, ENDLESS);
    await once(answer, "data");
    answer.pause();
    const ends = [lease, answer].map(async (stream) => explain((await once(stream, "error"))[0]));
    const { response } = await admin.unary(revokeToken, { name: "ended" });
    expect(response.info?.revokeTime).toBeDefined();
    lease.resume();
    expect(await failure(client.unary(getDriver, {}))).toMatchObject({ code: 16, reason: "TOKEN_REVOKED" });
    // A reader that has stalled hears of it when it reads on.
    answer.resume();
    for (const end of ends) expect(await end).toMatchObject({ code: 16, reason: "TOKEN_REVOKED" });
    const leases = async () =>
      (await admin.unary(getDriver, {})).response.leases.filter((l) => l.clientName === "ended");
    await expect.poll(leases, PATIENT).toEqual([]);
  });

  test("ends the queries that were to be come back to, whether somebody reads them or not", async () => {
    using holder = await holdToken(driver, { name: "gone" });
    using stays = await holdToken(driver, { name: "stays" });
    const ask = async ({ client }: TokenHolder, operationId: string) => {
      const stream = client.stream(runQuery, { ...ENDLESS, operationId, reattachable: true });
      await once(stream, "data");
      stream.on("error", () => {}).cancel();
    };
    await ask(holder, "left-alone");
    await ask(stays, "left-too");
    const { response } = await admin.unary(rotateToken, { name: "stays", grace: durationFromMs(0) });
    await admin.unary(revokeToken, { name: "gone" });
    const find = async (id: string) => (await admin.unary(getOperation, { id })).response.operation;
    const ended = { state: OperationState.CANCELLED, error: { message: 'the token "gone" was revoked' } };
    await expect.poll(() => find("left-alone"), PATIENT).toMatchObject(ended);
    // That of a token that has another text by now can be come back to with it.
    using again = new GrpcClient(driver.address, { token: response.token });
    const rest = again.stream(watchQuery, { operationId: "left-too" });
    await once(rest, "data");
    rest.on("error", () => {}).cancel();
    await again.unary(cancelOperation, { id: "left-too" });
  });

  test("leaves the text before a grace time when it is rotated", async () => {
    using old = await holdToken(driver, { name: "turned", role: Role.LOADER });
    await old.client.unary(query, { ...ONE, operationId: "turned-1" });
    const { response } = await admin.unary(rotateToken, { name: "turned", grace: durationFromMs(3_600_000) });
    using present = new GrpcClient(driver.address, { token: response.token });
    await old.client.unary(getDriver, {});
    // It is the same token: what was made with it stays its own.
    await present.unary(getOperation, { id: "turned-1" });
    expect(response.info?.previousExpireTime).toBeDefined();
    await admin.unary(rotateToken, { name: "turned", grace: durationFromMs(0) });
    for (const client of [old.client, present])
      expect(await failure(client.unary(getDriver, {}))).toMatchObject({ reason: "TOKEN_EXPIRED" });
    expect((await infoOf("turned"))?.previousExpireTime).toBeUndefined();
  });

  test("holds at every driver of the data directory", async () => {
    using holder = await holdToken(driver, { name: "both" });
    using there = new GrpcClient(second.address, { token: holder.token });
    const lease = there.stream(attach, { clientName: "both" });
    await once(lease, "data");
    const end = once(lease, "error");
    lease.resume();
    await admin.unary(revokeToken, { name: "both" });
    expect(explain((await end)[0])).toMatchObject({ reason: "TOKEN_REVOKED" });
    expect(await failure(there.unary(getDriver, {}))).toMatchObject({ reason: "TOKEN_REVOKED" });
  });
});

describe("what others do", () => {
  let one: TokenHolder;
  let other: TokenHolder;
  const as = (endUser: string) => ({ headers: { "drover-end-user": endUser } });

  beforeAll(async () => {
    one = await holdToken(driver, { name: "one", role: Role.LOADER });
    other = await holdToken(driver, { name: "other", role: Role.LOADER });
  });

  afterAll(() => {
    one[Symbol.dispose]();
    other[Symbol.dispose]();
  });

  async function seen(client: GrpcClient, ids: readonly string[], call = {}): Promise<readonly string[]> {
    const { response } = await client.unary(listOperations, { pageSize: 1_000 }, call);
    return response.operations
      .map(({ id }) => id)
      .filter((id) => ids.includes(id))
      .sort();
  }

  test("is listed, shown, watched and cancelled by nobody but administrators", async () => {
    const ids = ["own-ann", "own-bob", "own-none"];
    await one.client.unary(query, { ...ONE, operationId: "own-ann" }, as("ann"));
    await one.client.unary(query, { ...ONE, operationId: "own-bob" }, as("bob"));
    await one.client.unary(query, { ...ONE, operationId: "own-none" });
    expect(await seen(one.client, ids)).toEqual(ids);
    expect(await seen(one.client, ids, as("ann"))).toEqual(["own-ann"]);
    expect(await seen(other.client, ids)).toEqual([]);
    expect(await seen(other.client, ids, as("ann"))).toEqual([]);
    expect(await seen(admin, ids)).toEqual(ids);
    expect(await seen(admin, ids, as("ann"))).toEqual(ids);
    const gone = await failure(other.client.unary(getOperation, { id: "nowhere" }));
    for (const [client, call] of [
      [other.client, {}],
      [other.client, as("ann")],
      [one.client, as("bob")],
    ] as const) {
      const hidden = await failure(client.unary(getOperation, { id: "own-ann" }, call));
      expect(hidden).toMatchObject({ code: gone.code, reason: "OPERATION_NOT_FOUND", info: { operation: "own-ann" } });
      expect(hidden.message).toBe(gone.message.replace("nowhere", "own-ann"));
      for (const refused of await failures([
        client.unary(cancelOperation, { id: "own-ann" }, call),
        client.stream(watchLoad, { operationId: "own-ann" }, call).toArray(),
        client.stream(watchQuery, { operationId: "own-ann" }, call).toArray(),
      ]))
        expect(refused).toMatchObject({ reason: "OPERATION_NOT_FOUND" });
    }
    // The same question under the id of another's.
    const taken = { code: 6, reason: "OPERATION_EXISTS" };
    const again = { ...ONE, operationId: "own-none" };
    expect(await failure(other.client.unary(query, again))).toMatchObject(taken);
    const late = ({ client }: TokenHolder) =>
      failure(client.stream(runQuery, { ...again, reattachable: true }).toArray());
    expect(await late(other)).toMatchObject(taken);
    expect(await late(one)).toMatchObject({ reason: "RESULT_EXPIRED" });
  });

  test("is no way into a query that can be come back to, though the end user's name is the same", async () => {
    const reattachable = { ...ENDLESS, operationId: "back", reattachable: true };
    const first = one.client.stream(runQuery, reattachable, as("ann"));
    await once(first, "data");
    const wrong = [
      other.client.stream(watchQuery, { operationId: "back" }, as("ann")),
      other.client.stream(runQuery, reattachable, as("ann")),
      one.client.stream(watchQuery, { operationId: "back" }, as("bob")),
      admin.stream(watchQuery, { operationId: "back" }, as("ann")),
    ];
    const reasons = await Promise.all(wrong.map(async (stream) => (await failure(stream.toArray())).reason));
    const [unseen, taken] = ["OPERATION_NOT_FOUND", "OPERATION_EXISTS"];
    expect(reasons).toEqual([unseen, taken, unseen, unseen]);
    first.on("error", () => {}).cancel();
    const again = one.client.stream(watchQuery, { operationId: "back" }, as("ann"));
    await once(again, "data");
    again.on("error", () => {}).cancel();
    await one.client.unary(cancelOperation, { id: "back" }, as("ann"));
  });

  test("may be shared as a load, in which each has a part of his own", async () => {
    const request = (operationId: string) => ({ dataset: "shared", source: { uri: held.uri }, operationId });
    await one.client.unary(loadDataset, request("part-one"));
    await held.asked;
    const { response } = await other.client.unary(loadDataset, request("part-two"));
    expect(response.joined).toBe(true);
    const taken = other.client.unary(loadDataset, request("part-one"));
    expect(await failure(taken)).toMatchObject({ reason: "OPERATION_EXISTS" });
    expect(await seen(other.client, ["part-one", "part-two"])).toEqual(["part-two"]);
    // Who is told by which load he is kept out can do nothing with its id.
    using third = await holdToken(driver, { name: "third", role: Role.LOADER });
    const kept = await failure(third.client.unary(loadDataset, { dataset: "shared", source: { text: "a\n1\n" } }));
    expect(kept).toMatchObject({ reason: "LOAD_CONFLICT", info: { dataset: "shared", operation: "part-one" } });
    const early = third.client.unary(query, { ...SHARED, noWait: true });
    expect(await failure(early)).toMatchObject({ reason: "DATASET_LOADING", info: { operation: "part-one" } });
    for (const refused of await failures([
      third.client.unary(getOperation, { id: "part-one" }),
      third.client.unary(cancelOperation, { id: "part-one" }),
      third.client.stream(watchLoad, { operationId: "part-one" }).toArray(),
      third.client.stream(watchQuery, { operationId: "part-one" }).toArray(),
    ]))
      expect(refused).toMatchObject({ code: 5, reason: "OPERATION_NOT_FOUND" });
    const all = other.client.unary(cancelOperation, { id: "part-two", everybody: true });
    expect(await failure(all)).toMatchObject({ code: 7, reason: "ACCESS_DENIED" });
    const { response: left } = await other.client.unary(cancelOperation, { id: "part-two" });
    expect(left.others).toBe(1);
    held.letGo();
    const events = await one.client.stream(watchLoad, { operationId: "part-one" }).toArray();
    expect(events.at(-1)?.event.case).toBe("completed");
  });

  test("is still somebody's own at another driver of the data directory", async () => {
    await one.client.unary(query, { ...ONE, operationId: "kept" }, as("ann"));
    // What has ended is written down in a moment.
    using there = new GrpcClient(second.address, { token: one.token });
    using others = new GrpcClient(second.address, { token: other.token });
    const find = () =>
      there.unary(getOperation, { id: "kept" }, as("ann")).then(
        ({ response }) => response.operation?.requestedBy,
        () => undefined,
      );
    await expect.poll(find, PATIENT).toBe("ann");
    expect(await failure(others.unary(getOperation, { id: "kept" }, as("ann")))).toMatchObject({
      reason: "OPERATION_NOT_FOUND",
    });
  });

  test("is attached without their knowing", async () => {
    const lease = one.client.stream(attach, { clientName: "hidden" });
    await once(lease, "data");
    const names = async (client: GrpcClient) =>
      (await client.unary(getDriver, {})).response.leases.map(({ clientName }) => clientName);
    await expect.poll(() => names(one.client), PATIENT).toContain("hidden");
    expect(await names(other.client)).not.toContain("hidden");
    await expect.poll(() => names(admin), PATIENT).toContain("hidden");
    lease.on("error", () => {}).cancel();
  });

  test("is uploaded for themselves", async () => {
    await upload(one, "mine", "a\n1\n");
    const { getUpload, listUploads, deleteUpload } = UploadService.method;
    const gone = { code: 5, reason: "UPLOAD_NOT_FOUND" };
    expect((await other.client.unary(listUploads, {})).response.uploads).toEqual([]);
    expect((await one.client.unary(listUploads, {})).response.uploads.map(({ id }) => id)).toEqual(["mine"]);
    expect((await admin.unary(listUploads, {})).response.uploads.map(({ id }) => id)).toContain("mine");
    const source = { uri: "upload:mine" };
    const { createSource, testSource, previewSource } = SourceService.method;
    for (const refused of await failures([
      other.client.unary(getUpload, { id: "mine" }),
      other.client.unary(deleteUpload, { id: "mine" }),
      other.client.unary(loadDataset, { dataset: "stolen", source }),
      other.client.unary(previewSource, { source }),
      other.client.unary(testSource, { source }),
      other.client.unary(createSource, { source: { name: "stolen", source } }),
      other.client.unary(createSource, { source: { name: "stolen", source: { uri: "upload:not-there-yet" } } }),
      one.client.unary(getUpload, { id: "mine" }, as("ann")),
    ]))
      expect(refused).toMatchObject(gone);
    await expect(upload(other, "mine", "a\n2\n")).rejects.toThrow("409");
    await one.client.unary(previewSource, { source });
    await one.client.unary(deleteUpload, { id: "mine" });
  });

  test("is appended for themselves: the same id is another append, and ends nobody's", async () => {
    await admin.unary(loadDataset, { dataset: "appended", source: { text: "a\n0\n" }, operationId: "appended" });
    await admin.stream(watchLoad, { operationId: "appended" }).toArray();
    const { getAppend } = DatasetService.method;
    const rows = async (client: GrpcClient, call = {}) =>
      Number((await client.unary(getAppend, { dataset: "appended", appendId: "x" }, call)).response.append?.rows);
    await append(one, "x", [[1], [2]]);
    expect(await rows(one.client)).toBe(2);
    expect(await rows(other.client)).toBe(0);
    expect(await rows(one.client, as("ann"))).toBe(0);
    await append(other, "x", [[3]]);
    expect([await rows(one.client), await rows(other.client)]).toEqual([2, 1]);
  });

  function body(messages: readonly object[]): Buffer {
    return Buffer.concat(
      messages.map((message) => {
        const json = Buffer.from(JSON.stringify(message));
        const head = Buffer.alloc(5);
        head.writeUInt32BE(json.length, 1);
        return Buffer.concat([head, json]);
      }),
    );
  }

  /** Sends a client's stream by Connect, and throws where its end says an error. */
  async function send({ token }: TokenHolder, path: string, messages: readonly object[]): Promise<void> {
    const response = await fetch(`http://${driver.address}/${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/connect+json" },
      body: body(messages),
    });
    const text = await response.text();
    if (/"error":/.test(text)) throw new Error(/already_exists/.test(text) ? "409" : text);
  }

  const upload = (holder: TokenHolder, id: string, text: string) =>
    send(holder, "drover.v1.UploadService/UploadFile", [
      { begin: { id, name: `${id}.csv`, size: String(text.length) } },
      { bytes: Buffer.from(text).toString("base64") },
      { end: {} },
    ]);

  const append = (holder: TokenHolder, appendId: string, rows: readonly (readonly number[])[]) =>
    send(holder, "drover.v1.DatasetService/AppendRows", [
      {
        start: {
          dataset: "appended",
          appendId,
          format: "APPEND_FORMAT_JSON",
          columns: ["a"],
        },
      },
      { json: Buffer.from(rows.map((row) => JSON.stringify(row)).join("\n")).toString("base64") },
      { end: {} },
    ]);
});

describe("a call", () => {
  test("that gives up something for its end user is no administrator's any more", async () => {
    const headers = scoped({ datasets: ["*"] }, "ann");
    expect(await failure(admin.unary(listTokens, {}, { headers }))).toMatchObject({
      reason: "ACCESS_DENIED",
      info: { role: "loader" },
    });
    await admin.unary(query, { ...ONE, operationId: "narrow" }, { headers });
    const others = await failure(admin.unary(getOperation, { id: "narrow" }, { headers: scoped({}, "bob") }));
    expect(others).toMatchObject({ reason: "OPERATION_NOT_FOUND" });
    await admin.unary(getOperation, { id: "narrow" }, { headers });
    expect((await post("drover.v1.TokenService/ListTokens", driver.token, headers)).status).toBe(403);
  });

  test("finds operations by no label and no dataset that it is not shown of them", async () => {
    const all = { "drover-end-user": "cleo" };
    const some = scoped({ datasets: ["other"] }, "cleo");
    const labels = { quarter: "secret" };
    const ids = ["wide-1", "wide-2", "wide-3"];
    const aggregate = { dataset: "unheard", measures: [{ op: MeasureOp.COUNT }] };
    const question = { kind: { case: "aggregate" as const, value: aggregate } };
    for (const operationId of ids)
      await failure(admin.unary(query, { question, operationId, labels }, { headers: all }));
    const list = async (request: MessageInitShape<typeof listOperations.input>, headers: Record<string, string>) =>
      (await admin.unary(listOperations, { kinds: [OperationKind.QUERY], ...request }, { headers })).response;
    const found = async (request: object, headers: Record<string, string>) =>
      (await list(request, headers)).operations.map(({ id }) => id).filter((id) => ids.includes(id));
    for (const request of [{ labels }, { dataset: "unheard" }]) {
      expect((await found(request, all)).sort()).toEqual(ids);
      expect(await found(request, some)).toEqual([]);
    }
    expect((await found({ pageSize: 1_000 }, some)).sort()).toEqual(ids);
    // Which is how a page of them is not to be begun with more in sight, and gone on with.
    const { nextPageToken: pageToken } = await list({ pageSize: 1 }, all);
    await list({ pageSize: 1, pageToken }, all);
    expect(await failure(list({ pageSize: 1, pageToken }, some))).toMatchObject({ reason: "INVALID_PAGE_TOKEN" });
  });

  test.each([
    ["without an end user", scoped({ datasets: ["*"] })],
    ["that is no base64url", scoped("{}", "ann")],
    ["that is no JSON", scoped("AAAA", "ann")],
    ["that is no object", scoped([], "ann")],
    ["with a field that is not known", scoped({ dataset: ["*"] }, "ann")],
    ["with an empty pattern", scoped({ datasets: [""] }, "ann")],
    ["with a rule that has no condition", scoped({ datasets: ["*"], rows: [{ dataset: "*" }] }, "ann")],
    ["with a rule that hides nothing", scoped({ datasets: ["*"], hidden: [{ dataset: "*" }] }, "ann")],
  ])("with a scope %s is refused", async (_, headers) => {
    const refused = { code: 3, reason: "INVALID_REQUEST" };
    expect(await failure(admin.unary(getDriver, {}, { headers }))).toMatchObject(refused);
    expect((await post("drover.v1.DriverService/GetDriver", driver.token, headers)).status).toBe(400);
  });
});

test("pages are for calls that see everything", async () => {
  using all = await holdToken(driver, { name: "scraper" });
  using some = await holdToken(driver, { name: "some", scope: { datasets: ["sales"] } });
  expect((await page("/metrics", all.token)).status).toBe(200);
  const refused = await page("/metrics", some.token);
  expect(refused.status).toBe(403);
  expect(await refused.text()).toContain("ACCESS_DENIED");
  expect((await page("/metrics", "wrong-token-of-nobody")).status).toBe(401);
  expect(await (await page("/", all.token)).text()).toContain("This driver");
  expect(await (await page("/", some.token)).text()).not.toContain("This driver");
  // Nor is told what all datasets take together.
  const memory = async ({ client }: TokenHolder) => (await client.unary(getDriver, {})).response.memory;
  expect((await memory(all))?.processBytes).toBeGreaterThan(0n);
  expect(await memory(some)).toMatchObject({ residentBytes: 0n, processBytes: 0n });
  for (const [headers, status] of [
    [scoped({ datasets: ["*"], hidden: [{ dataset: "*", columns: ["salary"] }] }, "ann"), 403],
    [scoped({ datasets: ["sales"] }, "ann"), 403],
    [scoped({ datasets: ["*"] }), 400],
    [scoped("{}", "ann"), 400],
    [scoped({ datasets: ["*"] }, "ann"), 200],
  ] as const)
    for (const { token } of [all, driver]) {
      expect((await page("/metrics", token, headers)).status).toBe(status);
      expect((await (await page("/", token, headers)).text()).includes("This driver")).toBe(status === 200);
    }
});
