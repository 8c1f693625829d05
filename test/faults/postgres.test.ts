import { once } from "node:events";
import { chmod } from "node:fs/promises";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { connectByAddressFile } from "@drover/client";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DriverError } from "../../src/errors/driver-error.ts";
import type { Server, Source, StatementEnding } from "../../src/sources/connector.ts";
import { postgres } from "../../src/sources/postgres/connector.ts";
import { makeCertificate } from "../helpers/certificates.ts";
import { startCutProxy } from "../helpers/cut-proxy.ts";
import { startDriver, type TestDriver } from "../helpers/driver.ts";
import { sendSignal } from "../helpers/driver-processes.ts";
import { failureOf, LoadLab } from "../helpers/load-engine.ts";
import { type PostgresDatabase, postgresDatabase } from "../helpers/postgres-database.ts";
import { type PostgresServer, startPostgres } from "../helpers/postgres-server.ts";
import { workersOf } from "../helpers/process-tree.ts";
import { freePort } from "../helpers/server-process.ts";
import { openSetBench } from "../helpers/set-bench.ts";
import { labContext, loadSource, type SourceLoadOptions } from "../helpers/source-load.ts";

let db: PostgresDatabase;
/** One of its own, which may be killed; with a certificate, by a superuser. */
let own: PostgresServer;
let lab: LoadLab;
let authority: string;

beforeAll(async () => {
  [db, own, lab] = await Promise.all([postgresDatabase(), startPostgres(), LoadLab.open()]);
  await db.run("CREATE TABLE numbers AS SELECT i AS id, repeat('x', 200) AS text FROM generate_series(1, 100000) i");
  authority = await lab.file("authority.pem", own.authority.cert);
});
afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
  await own?.[Symbol.asyncDispose]();
  await db?.[Symbol.asyncDispose]();
});

const CANCELLED = new DriverError("CANCELLED", "the test cancelled it");
/** The server computes, and sends nothing. */
const SLOW = { query: "SELECT id, pg_sleep(60)::text AS s FROM numbers" };
/** More than anybody reads. */
const ENDLESS = { query: "SELECT a.* FROM numbers a, numbers b" };

const load = (source: Source, options: SourceLoadOptions = {}) => loadSource(lab, source, options);
const failure = (source: Source, options: SourceLoadOptions = {}) => failureOf(load(source, options));

/** Statements of loads that run in the database, sessions that have ended left out. */
const running = () =>
  db.run(`SELECT pid FROM pg_stat_activity WHERE datname = '${db.name}' AND application_name = 'drover'
    AND state = 'active' AND query ~ 'numbers'`);
const poll = { timeout: 30_000, interval: 10 };
const runs = () => expect.poll(async () => (await running()).length, poll).toBeGreaterThan(0);
const idle = () => expect.poll(running, poll).toEqual([]);
/** SLOW is being read: planning it runs statements with the same text, of which none sleeps. */
const sleeps = () =>
  expect
    .poll(
      () =>
        db.run(`SELECT pid FROM pg_stat_activity WHERE datname = '${db.name}' AND application_name = 'drover'
          AND wait_event = 'PgSleep'`),
      poll,
    )
    .not.toEqual([]);

describe("a cancelled load ends its statement in the database", () => {
  it.each([
    ["while the server computes", { ...SLOW, transfer: "copy" }],
    ["while the server computes rows", { ...SLOW, transfer: "rows" }],
    ["while rows wait for the loader", { ...ENDLESS, transfer: "copy" }],
    ["while a cursor waits for the loader", { ...ENDLESS, transfer: "rows" }],
  ])("%s", async (_, options) => {
    const cancel = new AbortController();
    await using session = await postgres.open(db.source(options), await labContext(lab, { signal: cancel.signal }));
    const { partitions } = await session.plan({ maxPartitions: 1, preview: false });
    const content = await session.read(partitions[0] ?? {});
    if (content.form === "files") throw new Error("rows should come");
    const items = (content.form === "text" ? content.chunks : content.batches)[Symbol.asyncIterator]();
    const first = items.next();
    first.catch(() => undefined);
    await runs();
    if (options.query === ENDLESS.query) await first;
    cancel.abort(CANCELLED);
    const rest = async () => {
      for (let next = await first; !next.done; ) next = await items.next();
    };
    await expect(rest()).rejects.toThrow("the test cancelled it");
    await idle();
  });

  it("while it is planned, behind a lock", async () => {
    const cancel = new AbortController();
    // In a session of its own: in a transaction the server's activity is shown as it was at first.
    const locking = new Client({
      host: db.host,
      port: db.port,
      database: db.name,
      user: db.user,
      password: db.password,
    });
    await locking.connect();
    await locking.query("BEGIN; LOCK TABLE numbers");
    const ended = failure(db.source({ table: "numbers" }), { signal: cancel.signal });
    const waiting = () =>
      db.run(`SELECT 1 FROM pg_stat_activity WHERE datname = '${db.name}' AND application_name = 'drover'
        AND wait_event_type = 'Lock'`);
    await expect.poll(async () => (await waiting()).length, poll).toBe(1);
    cancel.abort(new DriverError("DEADLINE_EXCEEDED", "the deadline passed"));
    expect((await ended).reason).toBe("DEADLINE_EXCEEDED");
    await expect.poll(waiting, poll).toEqual([]);
    await locking.end();
  });

  it("when whoever reads it leaves early", async () => {
    for (const transfer of ["copy", "rows"]) {
      await using session = await postgres.open(db.source({ ...ENDLESS, transfer }), await labContext(lab));
      const { partitions } = await session.plan({ maxPartitions: 1, preview: false });
      const content = await session.read(partitions[0] ?? {});
      if (content.form === "text") for await (const _ of content.chunks) break;
      if (content.form === "batches") for await (const _ of content.batches) break;
      await idle();
    }
  });

  it("over TLS, when it is ended from outside, and no other one", async () => {
    const endings: StatementEnding[] = [];
    const source = db.source(SLOW, { options: { tls: "require" } });
    const ended = failure(source, { onStatement: (ending) => endings.push(ending) });
    await sleeps();
    const ending = endings.at(-1) ?? expect.unreachable();
    const signal = AbortSignal.timeout(30_000);
    // Another session may have the number by then, but not the key.
    await postgres.endStatement?.(source, { ...ending, key: Number(ending.key) ^ 1 }, { signal });
    await sleeps();
    await postgres.endStatement?.(source, ending, { signal });
    expect(await ended).toMatchObject({ reason: "SOURCE_QUERY_FAILED", metadata: { sqlState: "57014" } });
    await idle();
  });
});

describe("a worker that is killed", () => {
  let driver: TestDriver;
  beforeAll(async () => {
    driver = await startDriver({ env: { DROVER_SECRET_PG: db.password } });
  });
  afterAll(() => driver?.[Symbol.asyncDispose]());

  it("leaves no statement behind, twice, and then costs its load only", async () => {
    await using drover = await connectByAddressFile({ dataDirectory: driver.dataDir });
    const secret = "env:DROVER_SECRET_PG";
    const slow = await drover.load("slow", { uri: db.url, options: { ...SLOW, secret } });
    const ended = slow.result().catch((error: unknown) => error);
    for (let time = 0; time < 2; time++) {
      await sleeps();
      const before = (await running()).flat();
      for (const pid of await workersOf(driver.pid)) sendSignal(pid, "SIGKILL");
      await expect.poll(async () => (await running()).flat().some((pid) => before.includes(pid)), poll).toBe(false);
    }
    expect(await ended).toMatchObject({ reason: expect.stringMatching(/^WORKER_/) });
    await idle();
    const { dataset } = await (
      await drover.load("numbers", { uri: `${db.url}#numbers`, options: { secret } })
    ).result();
    expect(dataset.version.rows).toBe(100_000);
  });

  it("together with its driver leaves none either", async () => {
    await using victim = await startDriver({ env: { DROVER_SECRET_PG: db.password } });
    await using drover = await connectByAddressFile({ dataDirectory: victim.dataDir });
    const slow = await drover.load("slow", { uri: db.url, options: { ...SLOW, secret: "env:DROVER_SECRET_PG" } });
    slow.result().catch(() => undefined);
    await sleeps();
    await victim.stop("SIGKILL");
    await idle();
  });

  it("is no matter for a load that is cancelled by its client", async () => {
    await using drover = await connectByAddressFile({ dataDirectory: driver.dataDir });
    const options = { ...SLOW, secret: "env:DROVER_SECRET_PG" };
    const slow = await drover.load("slow", { uri: db.url, options });
    await sleeps();
    await slow.cancel();
    await idle();
  });
});

it("a server without room for another session has its parts read by those that it let in", async () => {
  const role = `lonely_${db.name}`;
  await db.run(`CREATE ROLE ${role} LOGIN PASSWORD 'lonely' CONNECTION LIMIT 1; GRANT SELECT ON numbers TO ${role}`);
  await using driver = await startDriver({
    args: ["--workers-max", "4", "--workers-initial", "3", "--memory", "6GB"],
    env: { DROVER_SECRET_LONELY: "lonely" },
  });
  await using drover = await connectByAddressFile({ dataDirectory: driver.dataDir });
  // Workers that come late would not be asked to take part.
  await expect.poll(async () => (await drover.driver()).workers, poll).toMatchObject({ now: 3, pendingToAdd: 0 });
  const uri = `${db.url.replace(/\/\/[^@]*@/, `//${role}@`)}#numbers`;
  const load = await drover.load("numbers", { uri, options: { partitions: 3, secret: "env:DROVER_SECRET_LONELY" } });
  const { dataset } = await load.result();
  expect(dataset.version.rows).toBe(100_000);
  const warning = expect.stringMatching(/could not take part: .*too many connections/);
  expect(dataset.version.warnings).toEqual([warning, warning]);
  await db.run(`REVOKE ALL ON numbers FROM ${role}; DROP ROLE ${role}`);
});

describe("a server that can't be used is told by its reason", () => {
  const at = (server: Partial<Server>, options: Source["options"] = { table: "numbers" }) =>
    failure(db.source(options, { name: "the server", ...server }));
  const place = (target: string) => db.url.replace(/@[^/]*/, `@${target}`);

  it("with a wrong password or none, which no error shows", async () => {
    for (const server of [
      { password: "hunter2-is-secret" },
      { password: "hunter2-is-secret", options: { tls: "disable" } },
    ]) {
      const error = await at(server);
      expect(error.reason).toBe("LOGIN_REFUSED");
      expect(JSON.stringify({ ...error, message: error.message, cause: String(error.cause) })).not.toContain("hunter2");
    }
    const { password: _, ...without } = db.source({ table: "numbers" }).server ?? expect.unreachable();
    expect(await failure({ ...db.source({ table: "numbers" }), server: without })).toMatchObject({
      reason: "LOGIN_REFUSED",
      message: expect.stringContaining("none is given"),
    });
    expect((await at({ uri: db.url.replace(db.name, "nowhere") })).reason).toBe("LOGIN_REFUSED");
    expect((await at({ uri: db.url.replace(db.user, "nobody") })).reason).toBe("LOGIN_REFUSED");
  });

  it("where nobody listens, nobody answers, or somebody else does", async () => {
    expect((await at({ uri: place(`127.0.0.1:${await freePort()}`) })).reason).toBe("CONNECTION_FAILED");
    for (const greeting of ["", "HTTP/1.1 400 Bad Request\r\n\r\n"]) {
      const other = createServer((socket) => void socket.on("error", () => undefined).write(greeting)).listen(
        0,
        "127.0.0.1",
      );
      await once(other, "listening");
      const address = other.address();
      const port = typeof address === "object" ? address?.port : undefined;
      for (const tls of ["disable", "prefer"]) {
        const error = await at({ uri: place(`127.0.0.1:${port}`), options: { tls, connectTimeout: 1 } });
        expect(error.reason).toBe("CONNECTION_FAILED");
      }
      other.close();
    }
  });

  it("by the next host where one does not answer, or is no standby", async () => {
    const uri = place(`127.0.0.1:${await freePort()},${db.host}:${db.port}`);
    const source = db.source({ table: "numbers" }, { uri, options: { session: "prefer-standby" } });
    expect((await load(source)).rows).toBe(100_000);
    expect((await at({ options: { session: "standby" } })).reason).toBe("CONNECTION_FAILED");
  });

  it("when it closes the connection in the middle, by COPY or rows", async () => {
    for (const transfer of ["copy", "rows"]) {
      await using proxy = await startCutProxy(`${db.host}:${db.port}`);
      const source = db.source({ ...ENDLESS, transfer }, { uri: place(proxy.address) });
      await using session = await postgres.open(source, await labContext(lab));
      const { partitions } = await session.plan({ maxPartitions: 1, preview: false });
      const content = await session.read(partitions[0] ?? {});
      const read = async () => {
        if (content.form === "text") for await (const _ of content.chunks) proxy.cut();
        if (content.form === "batches") for await (const _ of content.batches) proxy.cut();
      };
      await expect(read()).rejects.toMatchObject({ reason: "CONNECTION_FAILED" });
      await idle();
    }
  });

  it("when an administrator ends the statement, the session, or lets it take too long", async () => {
    const slow = { query: "SELECT id, pg_sleep(0.01)::text AS s FROM numbers" };
    for (const [end, reason] of [
      ["pg_cancel_backend", "SOURCE_QUERY_FAILED"],
      ["pg_terminate_backend", "CONNECTION_FAILED"],
    ] as const)
      for (const transfer of ["copy", "rows"]) {
        const ended = at({}, { ...slow, transfer });
        // Planning runs statements as well; only the one that reads sleeps.
        const ending = `SELECT ${end}(pid) FROM pg_stat_activity
          WHERE datname = '${db.name}' AND application_name = 'drover' AND wait_event = 'PgSleep'`;
        await expect.poll(() => db.run(ending), poll).not.toEqual([]);
        expect((await ended).reason).toBe(reason);
      }
    await db.run(`ALTER DATABASE ${db.name} SET statement_timeout = '200ms'`);
    expect(await at({}, SLOW)).toMatchObject({ reason: "SOURCE_QUERY_FAILED", metadata: { sqlState: "57014" } });
    await db.run(`ALTER DATABASE ${db.name} RESET statement_timeout`);
    await idle();
  });

  it("when a value fails in the middle of the rows", async () => {
    for (const transfer of ["copy", "rows"])
      expect(await at({}, { query: "SELECT 100 / (id - 99999) AS a FROM numbers", transfer })).toMatchObject({
        reason: "SOURCE_QUERY_FAILED",
        message: expect.stringContaining("division by zero"),
        metadata: { sqlState: "22012", connection: "the server" },
      });
  });

  it("when no byte comes any more, by the load's own deadline", async () => {
    await using proxy = await startCutProxy(`${db.host}:${db.port}`);
    const cancel = new AbortController();
    const source = db.source({ table: "numbers" }, { uri: place(proxy.address) });
    await using session = await postgres.open(source, await labContext(lab, { signal: cancel.signal }));
    proxy.stall("toClient");
    const planned = session.plan({ maxPartitions: 1, preview: false });
    cancel.abort(new DriverError("DEADLINE_EXCEEDED", "the deadline passed"));
    await expect(planned).rejects.toThrow("the deadline passed");
  });
});

describe("TLS", () => {
  const source = (
    options: Record<string, unknown>,
    uri = "",
    query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
  ) => {
    const { username, password, port } = new URL(own.answer);
    const server = {
      name: "own",
      uri: uri || `postgresql://${username}@127.0.0.1:${port}/postgres`,
      options,
      password,
    };
    return { kind: "postgres", uri: "", options: { query }, server };
  };

  it("is used as the connection says, and verified with the authority's certificate", async () => {
    const encrypted = async (options: Record<string, unknown>) => (await load(source(options))).values[0]?.[0];
    expect(await encrypted({})).toBe(true);
    expect(await encrypted({ tls: "require" })).toBe(true);
    expect(await encrypted({ tlsCaFile: authority })).toBe(true);
    expect(await encrypted({ tls: "verify-ca", tlsCaFile: authority })).toBe(true);
    expect(await encrypted({ tls: "disable" })).toBe(false);
    expect(
      (await load(source({}, `postgresql://drover@${encodeURIComponent(own.socketFolder)}:${own.port}/postgres`)))
        .values,
    ).toEqual([[false]]);
  });

  it("brings the client's certificate, whose key nobody else may read", async () => {
    const { cert, key } = makeCertificate("some client", own.authority);
    const tlsKeyFile = await lab.file("client-key.pem", key);
    const options = { tls: "require", tlsCertFile: await lab.file("client.pem", cert), tlsKeyFile };
    await chmod(tlsKeyFile, 0o644);
    expect((await failure(source(options))).reason).toBe("TLS_INVALID");
    await chmod(tlsKeyFile, 0o600);
    const query = "SELECT client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    expect((await load(source(options, "", query))).values).toEqual([["/CN=some client"]]);
  });

  it("is spoken by workers that may open no files, with those that the connection names", async () => {
    await using bench = await openSetBench();
    const set = await bench.makeSet("any", { packages: { "any@1.0.0": {} } });
    const { cert, key } = makeCertificate("some client", own.authority);
    const tlsCertFile = await lab.file("worker.pem", cert);
    const tlsKeyFile = await lab.file("worker-key.pem", key);
    await chmod(tlsKeyFile, 0o600);
    const tested = (options: Record<string, unknown>) =>
      bench.test(source(options), set).catch((error: unknown) => DriverError.from(error).reason);
    const verified = { tlsCaFile: authority, tlsCertFile, tlsKeyFile };
    expect(await tested(verified)).toMatchObject({ description: expect.stringContaining("TLSv1") });
    const url = `postgresql://drover@127.0.0.1:${own.port}/postgres?sslmode=verify-full&sslrootcert=${authority}`;
    expect(await bench.test(source({}, url), set)).toMatchObject({ description: expect.stringContaining("TLSv1") });
    await chmod(tlsKeyFile, 0o644);
    expect(await tested(verified)).toBe("TLS_INVALID");
    expect(await tested({ tlsCaFile: "/nowhere/ca.pem" })).toBe("TLS_INVALID");
    for (const limits of [{ fileRoots: () => [join(lab.path, "elsewhere")] }, { reserved: () => [authority] }]) {
      await using strict = await openSetBench(limits);
      const same = await strict.makeSet("any", { packages: { "any@1.0.0": {} } });
      const refused = strict.test(source({ tlsCaFile: authority }), same).catch((error: unknown) => error);
      expect(await refused).toMatchObject({ reason: "PATH_NOT_ALLOWED" });
    }
  });

  it("that can't be verified is refused", async () => {
    expect((await failure(source({ tls: "verify-full" }))).reason).toBe("CONNECTION_TLS_FAILED");
    expect((await failure(source({ tls: "verify-ca" }))).reason).toBe("CONNECTION_TLS_FAILED");
    const other = `postgresql://drover@127.0.0.2:${own.port}/postgres`;
    const named = await failure(source({ tlsCaFile: authority }, other));
    // Where the server listens on no such address, the name can't be wrong.
    expect(["CONNECTION_TLS_FAILED", "CONNECTION_FAILED"]).toContain(named.reason);
    expect((await failure(source({ tlsCaFile: "/nowhere/ca.pem" }))).reason).toBe("TLS_INVALID");
    const context = { ...(await labContext(lab)), fileRoots: [join(lab.path, "elsewhere")] };
    await expect(postgres.open(source({ tlsCaFile: authority }), context)).rejects.toMatchObject({
      reason: "PATH_NOT_ALLOWED",
    });
  });

  it("is told by the test of a connection, with what is not safe", async () => {
    await using session = await postgres.open(source({ tls: "require" }), await labContext(lab));
    expect(await session.test()).toEqual({
      description: expect.stringMatching(/^PostgreSQL \d+(\.\d+)?, TLSv1\.\d, database postgres$/),
      warnings: [expect.stringContaining("superuser")],
    });
  });
});

describe("where COPY is not to be had", () => {
  it("rows come by a cursor, and are the same", async () => {
    await using proxy = await withoutCopy(db);
    const through = (transfer: string) =>
      db.source(
        { table: "numbers", transfer, columns: "id" },
        { uri: db.url.replace(/@[^/]*/, `@${proxy.address}`), options: { tls: "disable" } },
      );
    const loaded = await load(through("auto"));
    expect(loaded.plan.partitions[0]).toMatchObject({ transfer: "rows" });
    expect(await lab.query(`SELECT count(*), sum(id)::BIGINT FROM ${loaded.from}`)).toEqual([["100000", "5000050000"]]);
    expect(await failure(through("copy"))).toMatchObject({ reason: "SOURCE_QUERY_FAILED" });
  });
});

it("a server that is killed in the middle fails the load with a reason", async () => {
  const { username, password, port } = new URL(own.answer);
  const server = { name: "own", uri: `postgresql://${username}@127.0.0.1:${port}/postgres`, options: {}, password };
  const options = { query: "SELECT repeat('x', 1000) FROM pg_class a, pg_class b, pg_class c" };
  await using session = await postgres.open({ kind: "postgres", uri: "", options, server }, await labContext(lab));
  const { partitions } = await session.plan({ maxPartitions: 1, preview: false });
  const content = await session.read(partitions[0] ?? {});
  if (content.form !== "text") throw new Error("rows should come as text");
  const read = async () => {
    for await (const _ of content.chunks) own.kill();
  };
  await expect(read()).rejects.toMatchObject({ reason: "CONNECTION_FAILED" });
});

/** A way to the server on which COPY is a word that it does not know. */
async function withoutCopy({ host, port }: PostgresDatabase): Promise<AsyncDisposable & { readonly address: string }> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connectTcp({ host, port });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
    }
    client.on("data", (bytes) => {
      const at = bytes.indexOf("COPY (");
      if (at >= 0) bytes.write("KOPY", at);
      upstream.write(bytes);
    });
    upstream.pipe(client);
    client.on("close", () => upstream.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    address: `127.0.0.1:${typeof address === "object" ? address?.port : 0}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
