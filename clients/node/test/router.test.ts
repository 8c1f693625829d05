import type { DescMethodServerStreaming, DescMethodUnary } from "@bufbuild/protobuf";
import { ConnectError, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { fromConnectError } from "../src/browser/connect-error.ts";
import { DatasetService } from "../src/gen/drover/v1/dataset_service_pb.js";
import { DriverService } from "../src/gen/drover/v1/driver_service_pb.js";
import { LibraryService } from "../src/gen/drover/v1/library_service_pb.js";
import { OperationService } from "../src/gen/drover/v1/operation_service_pb.js";
import { QueryService, ResultFormat } from "../src/gen/drover/v1/query_service_pb.js";
import { SourceService } from "../src/gen/drover/v1/source_service_pb.js";
import { TokenService } from "../src/gen/drover/v1/token_service_pb.js";
import { UploadService } from "../src/gen/drover/v1/upload_service_pb.js";
import { where } from "../src/query/filter.ts";
import type { Permissions, RouterOptions, RouterUser } from "../src/router/index.ts";
import type { FaultPeer } from "./fault-peer.ts";
import {
  lineage,
  recordingPeer,
  type SeenCall,
  serverToken,
  startAppServer,
  type TestAppServer,
} from "./router-peer.ts";

const everything: Permissions = {
  ...{ sql: true, operations: true, driver: true },
  ...{ load: () => true, delete: () => true, refresh: () => true },
};
const users: Readonly<Record<string, RouterUser | undefined>> = {
  plain: { user: "plain" },
  blind: { user: "blind", may: { read: () => false } },
  admin: { user: "admin", may: everything },
  sql: { user: "sql", may: { sql: true } },
  loader: { user: "loader", may: { load: (dataset, { uri }) => dataset === "d" && uri === lineage.uri } },
  refresher: { user: "refresher", may: { refresh: () => true } },
  picky: { user: "picky", may: { read: (dataset) => !dataset.startsWith("hidden") } },
  cased: { user: "cased", may: { read: (dataset) => dataset !== "hidden" } },
  ünï: { user: "Jürgen % Ünï" },
  broken: { user: "" },
  scoped: { user: "scoped", scope: { datasets: ["d"], rows: [{ dataset: "*", where: where("a").equals(1) }] } },
};

const seen: SeenCall[] = [];
/** What callers are not told. */
const told: string[] = [];
let peer: FaultPeer;
let app: TestAppServer;

beforeAll(async () => {
  peer = await recordingPeer(seen).listen();
  const options: RouterOptions = {
    authorize: ({ headers }) => {
      const name = decodeURIComponent(headers.get("cookie") ?? "");
      if (name === "thrower") throw new Error("the secret session store is down");
      if (name === "banned") throw new ConnectError("you are banned", 7);
      return users[name];
    },
    onError: (error) => told.push(String(error)),
  };
  app = await startAppServer(peer.address, options, serverToken);
});

beforeEach(() => {
  seen.length = 0;
  told.length = 0;
});

afterAll(async () => {
  await app?.[Symbol.asyncDispose]();
  await peer?.[Symbol.asyncDispose]();
});

type Method = DescMethodUnary | DescMethodServerStreaming;
interface Sent {
  readonly request?: Record<string, unknown>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Calls a method as a browser does; answers with the messages or the reason of the error. */
async function call(
  method: Method,
  user: string,
  { request = {}, headers = {} }: Sent = {},
): Promise<object[] | string> {
  const transport: Transport = createConnectTransport({ baseUrl: app.url, httpVersion: "1.1" });
  const sent = { ...headers, cookie: encodeURIComponent(user) };
  try {
    if (method.methodKind === "unary")
      return [(await transport.unary(method, undefined, undefined, sent, request)).message];
    const input = (async function* () {
      yield request;
    })();
    const messages: object[] = [];
    for await (const message of (await transport.stream(method, undefined, undefined, sent, input)).message)
      messages.push(message);
    return messages;
  } catch (error) {
    return fromConnectError(error, false).reason;
  }
}

function passed(): readonly string[] {
  return seen.map(({ method }) => method);
}

const aggregate = { question: { kind: { case: "aggregate", value: { dataset: "d" } } } };
const sql = { question: { kind: { case: "sql", value: { sql: "SELECT 1" } } } };
const load = { dataset: "d", source: lineage };
const other = { id: "somebody:1", operationId: "somebody:1" };

interface Rule {
  readonly request?: Record<string, unknown>;
  /** What becomes of a user with no particular permission, of one who may read nothing, and of one who may everything. */
  readonly plain: string;
  readonly blind: string;
  readonly admin: string;
}

const ok = "passed";
const no = "NOT_ALLOWED";
const unmounted = "UNIMPLEMENTED";
const reading = { plain: ok, blind: no, admin: ok };
const adminOnly = { plain: no, blind: no, admin: ok };
const never = { plain: unmounted, blind: unmounted, admin: unmounted };
const ownOnly = { request: other, plain: "OPERATION_NOT_FOUND", blind: "OPERATION_NOT_FOUND", admin: ok };

/** Every method of the contract: a new one is not mounted before somebody decides here who may call it. */
const rules: Readonly<Record<string, Rule>> = {
  "QueryService.RunQuery": { request: aggregate, ...reading },
  "QueryService.WatchQuery": never,
  "QueryService.Query": { request: aggregate, ...reading },
  "QueryService.ExplainQuery": { request: aggregate, ...reading },
  "QueryService.ListRows": { request: { dataset: "d" }, ...reading },
  "QueryService.ListValues": { request: { dataset: "d" }, ...reading },
  "QueryService.GetStatistics": { request: { dataset: "d" }, ...reading },
  "DatasetService.LoadDataset": { request: load, ...adminOnly },
  "DatasetService.WatchLoad": ownOnly,
  "DatasetService.GetDataset": { request: { dataset: "d" }, ...reading },
  "DatasetService.ListDatasets": { plain: ok, blind: ok, admin: ok },
  "DatasetService.DeleteDataset": { request: { dataset: "d" }, ...adminOnly },
  "DatasetService.AppendRows": never,
  "DatasetService.GetAppend": never,
  "DatasetService.RefreshDataset": { request: { dataset: "d" }, ...adminOnly },
  "DatasetService.RefreshDueDatasets": never,
  "DatasetService.SetSchedule": never,
  "DatasetService.RollbackDataset": never,
  "DatasetService.SetStorageLevel": never,
  "DatasetService.ListVersions": { request: { dataset: "d" }, ...reading },
  "SourceService.ListSourceKinds": never,
  "SourceService.CreateConnection": never,
  "SourceService.GetConnection": never,
  "SourceService.ListConnections": never,
  "SourceService.UpdateConnection": never,
  "SourceService.DeleteConnection": never,
  "SourceService.TestConnection": never,
  "SourceService.CreateSource": never,
  "SourceService.GetSource": never,
  "SourceService.ListSources": never,
  "SourceService.UpdateSource": never,
  "SourceService.DeleteSource": never,
  "SourceService.TestSource": never,
  "SourceService.ListTables": never,
  "SourceService.ExportSources": never,
  "SourceService.ImportSources": never,
  "UploadService.UploadFile": never,
  "UploadService.GetUpload": never,
  "UploadService.ListUploads": never,
  "UploadService.DeleteUpload": never,
  "DatasetService.ExportDataset": never,
  "SourceService.PreviewSource": never,
  "TokenService.CreateToken": never,
  "TokenService.ListTokens": never,
  "TokenService.RotateToken": never,
  "TokenService.RevokeToken": never,
  "LibraryService.CreateLibrarySet": never,
  "LibraryService.GetLibrarySet": never,
  "LibraryService.ListLibrarySets": never,
  "LibraryService.CheckLibrarySet": never,
  "LibraryService.DeleteLibrarySet": never,
  "LibraryService.ExportLibrarySet": never,
  "LibraryService.ImportLibrarySet": never,
  "QueryService.ExportQuery": never,
  "OperationService.ListOperations": adminOnly,
  "OperationService.GetOperation": { request: other, ...adminOnly },
  "OperationService.CancelOperation": ownOnly,
  "DriverService.ProveIdentity": never,
  "DriverService.GetDriver": adminOnly,
  "DriverService.Attach": never,
  "DriverService.Drain": never,
  "DriverService.Stop": never,
};

const services = [
  QueryService,
  DatasetService,
  SourceService,
  UploadService,
  OperationService,
  DriverService,
  TokenService,
  LibraryService,
];
const methods = services.flatMap((service) =>
  service.methods.map(
    (method) => [`${service.typeName.replace("drover.v1.", "")}.${method.name}`, method as Method] as const,
  ),
);

describe("who may call", () => {
  test("is decided for every method", () => {
    expect(methods.map(([name]) => name).sort()).toEqual(Object.keys(rules).sort());
  });

  describe.each(methods)("%s", (name, method) => {
    const { request = {}, ...outcomes }: Rule = rules[name] ?? never;

    test.each(["nobody", "thrower"])("is not for %s", async (user) => {
      expect(await call(method, user, { request })).toBe(outcomes.admin === unmounted ? unmounted : "LOGIN_REQUIRED");
      expect(seen).toEqual([]);
    });

    test.each(["plain", "blind", "admin"] as const)("is decided for a user who is %s", async (user) => {
      const result = await call(method, user, { request });
      expect(typeof result === "string" ? result : ok).toBe(outcomes[user]);
      expect(passed().includes(method.name)).toBe(outcomes[user] === ok);
      expect(seen.map(({ headers }) => headers["drover-end-user"])).toEqual(seen.map(() => user));
    });
  });

  test.each(methods.filter(([name]) => rules[name]?.request === aggregate))(
    "%s takes SQL from whom it is allowed",
    async (_, method) => {
      expect(await call(method, "plain", { request: sql })).toBe("NOT_ALLOWED");
      expect(await call(method, "sql", { request: { question: {} } })).toBe("INVALID_ARGUMENT");
      expect(await call(method, "sql")).toBe("INVALID_ARGUMENT");
      expect(seen).toEqual([]);
      expect(typeof (await call(method, "sql", { request: sql }))).toBe("object");
    },
  );

  test("may cancel and watch what was asked in their own name, and know of no other", async () => {
    const { cancelOperation } = OperationService.method;
    expect(await call(cancelOperation, "plain", { request: { id: "plain:1" } })).toHaveLength(1);
    expect(
      await call(DatasetService.method.watchLoad, "loader", { request: { operationId: "loader:1" } }),
    ).not.toHaveLength(0);
    expect(passed()).toEqual(["GetOperation", "CancelOperation", "GetOperation", "WatchLoad"]);
    expect(await call(cancelOperation, "plain", { request: { id: "loader:1" } })).toBe("OPERATION_NOT_FOUND");
    expect(passed().slice(4)).toEqual(["GetOperation"]);
  });

  test("may not end what others share with them, unless all operations are theirs to end", async () => {
    const { cancelOperation } = OperationService.method;
    const request = { everybody: true };
    expect(await call(cancelOperation, "plain", { request: { id: "plain:1", ...request } })).toBe("NOT_ALLOWED");
    expect(passed()).toEqual([]);
    expect(await call(cancelOperation, "admin", { request: { id: "plain:1", ...request } })).toHaveLength(1);
    expect(seen.at(-1)).toMatchObject({ method: "CancelOperation", request: { everybody: true } });
  });

  test("may load what and where the predicate says", async () => {
    const { loadDataset } = DatasetService.method;
    expect(typeof (await call(loadDataset, "loader", { request: load }))).toBe("object");
    expect(await call(loadDataset, "loader", { request: { ...load, dataset: "e" } })).toBe("NOT_ALLOWED");
    expect(await call(loadDataset, "loader", { request: { ...load, source: { uri: "/etc/passwd" } } })).toBe(
      "NOT_ALLOWED",
    );
    expect(await call(DatasetService.method.deleteDataset, "loader", { request: { dataset: "d" } })).toBe(
      "NOT_ALLOWED",
    );
    expect(passed()).toEqual(["LoadDataset"]);
  });

  test("lists the datasets that may be read, and where they come from only to who loads them", async () => {
    const { listDatasets, getDataset, listVersions } = DatasetService.method;
    expect(await call(listDatasets, "picky")).toMatchObject([{ datasets: [{ name: "d" }, { name: "z" }] }]);
    expect(await call(listDatasets, "blind")).toMatchObject([{ datasets: [] }]);
    for (const method of [listDatasets, getDataset, listVersions]) {
      const request = method === listDatasets ? {} : { dataset: "d" };
      expect(JSON.stringify(await call(method, "plain", { request }), bigintText)).not.toContain("secret");
      expect(JSON.stringify(await call(method, "loader", { request }), bigintText)).toContain("secret");
    }
  });

  test("have a load watched and cancelled without a word of its source by who may only refresh", async () => {
    const { refreshDataset, watchLoad } = DatasetService.method;
    const { cancelOperation } = OperationService.method;
    for (const method of [refreshDataset, watchLoad, cancelOperation] as Method[]) {
      const of = (user: string) => ({ request: { dataset: "d", operationId: `${user}:1`, id: `${user}:1` } });
      const told = JSON.stringify(await call(method, "refresher", of("refresher")), bigintText);
      expect(told).toContain('"error":');
      expect(told).not.toContain("secret");
      if (method === refreshDataset) continue;
      expect(JSON.stringify(await call(method, "loader", of("loader")), bigintText)).toContain("secret");
    }
  });

  test("hear of no dataset that they may not read, and of no place where one came from, in an error", async () => {
    const failure = async (method: DescMethodUnary, user: string, request: object) => {
      const transport = createConnectTransport({ baseUrl: app.url, httpVersion: "1.1" });
      const failed = await transport
        .unary(method, undefined, undefined, { cookie: user }, request as never)
        .catch((error: unknown) => error);
      return fromConnectError(failed, false);
    };
    const { getDataset } = DatasetService.method;
    expect((await failure(getDataset, "plain", { dataset: "Hidden" })).message).toContain('there is "hidden"');
    const missing = { reason: "DATASET_NOT_FOUND", message: 'there is no dataset "Hidden"' };
    expect(await failure(getDataset, "cased", { dataset: "Hidden" })).toMatchObject(missing);
    expect(told).toEqual([]);
    const lost = { ...aggregate, labels: { lost: "yes", rebuildReason: "SOURCE_NOT_FOUND" } };
    for (const user of ["plain", "cased"])
      expect(await failure(QueryService.method.query, user, lost)).toMatchObject({
        ...{ reason: "DATASET_NOT_FOUND", message: "the data can't be read now" },
        metadata: { dataset: "d", rebuildReason: "SOURCE_NOT_FOUND" },
      });
    // Those who run the app server are.
    expect(told).toEqual([expect.stringContaining(lineage.uri), expect.stringContaining(lineage.uri)]);
  });

  test("pages the datasets that may be read, and names no other in a page's token", async () => {
    const { listDatasets } = DatasetService.method;
    const page = async (user: string, pageSize: number, pageToken = "") => {
      const [answer] = (await call(listDatasets, user, { request: { pageSize, pageToken } })) as [
        { datasets: { name: string }[]; nextPageToken: string },
      ];
      return [answer.datasets.map(({ name }) => name), answer.nextPageToken];
    };
    expect(await page("picky", 1)).toEqual([["d"], "d"]);
    expect(await page("picky", 1, "d")).toEqual([["z"], ""]);
    expect(await page("picky", 2)).toEqual([["d", "z"], ""]);
    expect(await page("blind", 1)).toEqual([[], ""]);
    expect(await page("plain", 2)).toEqual([["d", "hidden"], "hidden"]);
    expect(passed().length).toBeLessThanOrEqual(7);
  });

  test("is not decided by an app server that names nobody", async () => {
    expect(await call(QueryService.method.query, "broken", { request: aggregate })).toBe("INVALID_ARGUMENT");
    expect(seen).toEqual([]);
  });

  test("is refused in the words that the app server chose", async () => {
    const transport = createConnectTransport({ baseUrl: app.url, httpVersion: "1.1" });
    const asked = transport.unary(
      QueryService.method.query,
      undefined,
      undefined,
      { cookie: "banned" },
      aggregate as never,
    );
    await expect(asked).rejects.toMatchObject({ code: 7, rawMessage: "you are banned" });
  });
});

function bigintText(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

describe("what goes to the driver", () => {
  const headers = {
    authorization: "Bearer guessed",
    "drover-end-user": "admin",
    "drover-end-user-bin": "YWRtaW4",
    "drover-scope": Buffer.from('{"datasets":["*"]}').toString("base64url"),
    "x-forwarded-for": "1.2.3.4",
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "user-agent": "browser",
    "grpc-timeout": "1S",
    "connect-protocol-version": "1",
  };

  test.each([QueryService.method.query, QueryService.method.runQuery] as Method[])(
    "has no header of the caller's",
    async (method) => {
      expect(typeof (await call(method, "plain", { request: aggregate, headers }))).toBe("object");
      const [{ headers: sent = {} } = {}] = seen;
      expect(sent).toMatchObject({ authorization: `Bearer ${serverToken}`, "drover-end-user": "plain" });
      const known = ["authorization", "drover-end-user", "user-agent"];
      expect(Object.keys(sent).filter((name) => !known.includes(name))).toEqual([]);
      expect(sent["user-agent"]).toContain("grpc-node");
    },
  );

  test.each([QueryService.method.query, QueryService.method.runQuery] as Method[])(
    "says what its user may see, whatever the caller says",
    async (method) => {
      expect(typeof (await call(method, "scoped", { request: aggregate, headers }))).toBe("object");
      expect(seen.length).toBeGreaterThan(0);
      for (const { headers: sent } of seen) {
        const scope = JSON.parse(Buffer.from(String(sent["drover-scope"]), "base64url").toString());
        const filter = { compare: { column: "a", op: "COMPARISON_OP_EQUAL", value: 1 } };
        expect(scope).toEqual({ datasets: ["d"], rows: [{ dataset: "*", filter }] });
      }
    },
  );

  test("names each user in printable ASCII, no two alike", async () => {
    await call(QueryService.method.query, "ünï", { request: aggregate });
    expect(seen[0]?.headers["drover-end-user"]).toBe("J%C3%BCrgen %25 %C3%9Cn%C3%AF");
  });

  test("has no field that this version does not know", async () => {
    // Field 3 of Question, as a newer contract might have it, beside a known kind.
    const question = Buffer.from([0x0a, 0x03, 0x0a, 0x01, 0x64, 0x1a, 0x01, 0x78]);
    const body = Buffer.concat([Buffer.from([0x0a, question.length]), question]);
    const send = (contentType: string, content: Uint8Array | string) =>
      fetch(`${app.url}/drover.v1.QueryService/Query`, {
        method: "POST",
        headers: { "content-type": contentType, cookie: "plain" },
        body: content,
      });
    expect((await send("application/proto", body)).status).toBe(200);
    expect(seen.map(({ request }) => (request as { question: { $unknown?: unknown } }).question.$unknown)).toEqual([
      undefined,
    ]);
    const json = JSON.stringify({ question: { aggregate: { dataset: "d" } }, surprise: 1 });
    expect((await send("application/json", json)).status).toBe(400);
  });

  test("asks for rows where the caller speaks JSON, and for Arrow where it speaks protobuf", async () => {
    for (const [useBinaryFormat, format] of [
      [false, ResultFormat.ROWS],
      [true, ResultFormat.ARROW],
    ] as const) {
      seen.length = 0;
      const transport = createConnectTransport({ baseUrl: app.url, httpVersion: "1.1", useBinaryFormat });
      const input = (async function* () {
        yield aggregate as never;
      })();
      const { message } = await transport.stream(
        QueryService.method.runQuery,
        undefined,
        undefined,
        { cookie: "plain" },
        input,
      );
      for await (const { eventId } of message) expect(eventId).toBe(0n);
      expect(seen[0]?.request).toMatchObject({ format });
    }
  });

  test("is no query that would outlive its caller", async () => {
    const request = { ...aggregate, reattachable: true };
    expect(await call(QueryService.method.runQuery, "plain", { request })).toBe("INVALID_ARGUMENT");
    expect(seen).toEqual([]);
  });
});
