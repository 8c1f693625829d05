import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { connectByAddressFile, type Drover } from "@drover/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DriverError } from "../../src/errors/driver-error.ts";
import type { Source, StatementEnding } from "../../src/sources/connector.ts";
import { mysql } from "../../src/sources/mysql/connector.ts";
import { startCutProxy } from "../helpers/cut-proxy.ts";
import { startDriver, type TestDriver } from "../helpers/driver.ts";
import { sendSignal } from "../helpers/driver-processes.ts";
import { LoadLab } from "../helpers/load-engine.ts";
import { type MariadbServer, startMariadb } from "../helpers/mariadb-server.ts";
import { mysqlDatabase, mysqlSource, type TestDatabase } from "../helpers/mysql-database.ts";
import { workersOf } from "../helpers/process-tree.ts";
import { freePort } from "../helpers/server-process.ts";
import { labContext, loadSource, type SourceLoadOptions } from "../helpers/source-load.ts";

let db: TestDatabase;
let lab: LoadLab;
beforeAll(async () => {
  [db, lab] = await Promise.all([mysqlDatabase(), LoadLab.open()]);
  await db.run("CREATE TABLE numbers (id INT PRIMARY KEY, text VARCHAR(200))");
  await db.run("INSERT INTO numbers SELECT seq, REPEAT('x', 200) FROM seq_1_to_100000");
});
afterAll(async () => {
  await db?.[Symbol.asyncDispose]();
  await lab?.[Symbol.asyncDispose]();
});

const source = (options: Readonly<Record<string, unknown>>) => mysqlSource(db, options);
const SLOW = { query: "SELECT id, SLEEP(60) AS s FROM numbers" };

async function failure(asked: Source, options: SourceLoadOptions = {}): Promise<DriverError> {
  return loadSource(lab, asked, options).then(
    () => {
      throw new Error("the load succeeded");
    },
    (error: unknown) => DriverError.from(error),
  );
}

/** Statements of loads that the server runs. */
async function running(): Promise<readonly (readonly (string | null)[])[]> {
  return db.run(
    `SELECT id, info, state FROM information_schema.processlist WHERE db = '${db.name}' AND info LIKE '/* drover %' AND id <> CONNECTION_ID()`,
  );
}

async function until(what: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 30_000;
  while (!(await what())) {
    if (Date.now() > end) throw new Error("it does not happen");
    await delay(10);
  }
}

const runs = (part: string) => async () => (await running()).some(([, info]) => info?.includes(part));
const idle = async () => (await running()).length === 0;
/** Reading, and not only planned: that shows the same text, and no row is asked for. */
const sleeps = async () => (await running()).some(([, , state]) => state === "User sleep");

describe("a cancelled load ends its statement in the database", () => {
  it.each([
    ["while the server computes", SLOW],
    ["while rows wait for the loader", { query: "SELECT a.* FROM numbers a, numbers b" }],
  ])("%s", async (_, options) => {
    const cancel = new AbortController();
    await using session = await mysql.open(source(options), await labContext(lab, { signal: cancel.signal }));
    const { partitions } = await session.plan({ maxPartitions: 1, preview: false });
    const content = await session.read(partitions[0] ?? {});
    if (content.form !== "text") throw new Error("rows should come as text");
    const chunks = content.chunks[Symbol.asyncIterator]();
    const first = chunks.next();
    first.catch(() => undefined);
    await until(runs("numbers"));
    if (options !== SLOW) await first;
    cancel.abort(new DriverError("CANCELLED", "the test cancelled it"));
    // What had come before may be read; then it says why it ends.
    const rest = async () => {
      for (let next = await first; !next.done; ) next = await chunks.next();
    };
    await expect(rest()).rejects.toThrow("the test cancelled it");
    await until(idle);
  });

  it("at the host where it runs, whoever answers at another one meanwhile", async () => {
    const cancel = new AbortController();
    const port = await freePort();
    const uri = `mysql://127.0.0.1:${port},127.0.0.1:${db.port}/${db.name}`;
    const endings: StatementEnding[] = [];
    const context = await labContext(lab, { signal: cancel.signal, onStatement: (ending) => endings.push(ending) });
    await using session = await mysql.open(
      { ...source(SLOW), server: { name: "the server", uri, options: { user: db.user }, password: db.password } },
      context,
    );
    const ended = session.plan({ maxPartitions: 1, preview: false }).then(async ({ partitions }) => {
      const content = await session.read(partitions[0] ?? {});
      if (content.form === "text") for await (const _ of content.chunks);
    });
    ended.catch(() => undefined);
    await until(sleeps);
    const silent = createServer(() => undefined).listen(port, "127.0.0.1");
    await once(silent, "listening");
    expect(endings.at(-1)).toMatchObject({ host: "127.0.0.1", port: db.port });
    cancel.abort(new DriverError("CANCELLED", "the test cancelled it"));
    await expect(ended).rejects.toThrow("the test cancelled it");
    await until(idle);
    silent.close();
  });

  it("while it is planned", async () => {
    const cancel = new AbortController();
    await db.run("LOCK TABLES numbers WRITE");
    // The server has other tests' databases as well.
    const isPlanned = (row: readonly (string | null)[]) => row.includes(db.name) && row.join().includes("/* drover");
    const ended = failure(source({ table: "numbers" }), { signal: cancel.signal });
    await until(async () => (await db.run("SHOW PROCESSLIST")).some(isPlanned));
    cancel.abort(new DriverError("DEADLINE_EXCEEDED", "the deadline passed"));
    expect((await ended).reason).toBe("DEADLINE_EXCEEDED");
    await db.run("UNLOCK TABLES");
    await until(idle);
  });

  it("when whoever reads it leaves early", async () => {
    await using session = await mysql.open(
      source({ query: "SELECT a.* FROM numbers a, numbers b" }),
      await labContext(lab),
    );
    const { partitions } = await session.plan({ maxPartitions: 1, preview: false });
    const content = await session.read(partitions[0] ?? {});
    if (content.form === "text") for await (const _ of content.chunks) break;
    await until(idle);
  });
});

it("a dead worker's statement is ended from outside, and no other one", async () => {
  const program = fileURLToPath(new URL("programs/read-mysql.ts", import.meta.url));
  const worker = spawn(process.execPath, ["--conditions=drover-source", program], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  worker.stdin.end(JSON.stringify(source(SLOW)));
  const [line] = (await once(createInterface(worker.stdout), "line")) as [string];
  await until(sleeps);
  const exit = once(worker, "exit");
  worker.kill("SIGKILL");
  await exit;
  expect(await runs("SLEEP")()).toBe(true);
  const ending = JSON.parse(line) as StatementEnding;
  const signal = AbortSignal.timeout(30_000);
  // Another server start may have given the number to somebody else.
  await mysql.endStatement?.(source(SLOW), { ...ending, mark: "drover 0000000000000000" }, { signal });
  expect(await runs("SLEEP")()).toBe(true);
  await mysql.endStatement?.(source(SLOW), ending, { signal });
  await until(idle);
  await mysql.endStatement?.(source(SLOW), ending, { signal });
});

describe("a load through a driver", () => {
  let driver: TestDriver;
  let drover: Drover;
  const secret = "env:DROVER_SECRET_MY";
  beforeAll(async () => {
    driver = await startDriver({ env: { DROVER_SECRET_MY: db.password } });
    drover = await connectByAddressFile({ dataDirectory: driver.dataDir });
  });
  afterAll(async () => {
    await drover?.close();
    await driver?.[Symbol.asyncDispose]();
  });

  it("may be cut into parts", async () => {
    const uri = `jdbc:mariadb://127.0.0.1:${db.port}/${db.name}?user=${db.user}&sslMode=PREFERRED#numbers`;
    const { dataset } = await (await drover.load("numbers", { uri, options: { secret, partitions: 4 } })).result();
    expect(dataset.version.rows).toBe(100_000);
    expect(dataset.version.warnings).toEqual([]);
    const [row] = await drover.sql("SELECT count(DISTINCT id) AS ids, sum(id) AS total FROM numbers").rows();
    expect(row).toEqual({ ids: 100_000n, total: 5_000_050_000n });
  });

  it("whose worker is killed leaves no statement behind, twice, and then costs its load only", async () => {
    const uri = `mysql://${db.user}@127.0.0.1:${db.port}/${db.name}`;
    const slow = await drover.load("slow", { uri, options: { ...SLOW, secret } });
    const ended = slow.result().catch((error: unknown) => error);
    for (let time = 0; time < 2; time++) {
      await until(sleeps);
      const before = (await running()).map(([id]) => id);
      for (const pid of await workersOf(driver.pid)) sendSignal(pid, "SIGKILL");
      await until(async () => !(await running()).some(([id]) => before.includes(id)));
    }
    expect(await ended).toMatchObject({ reason: expect.stringMatching(/^WORKER_/) });
    await until(idle);
    expect((await drover.dataset("numbers")).version.rows).toBe(100_000);
  });

  it("that its client cancels ends in the database", async () => {
    const uri = `mysql://${db.user}@127.0.0.1:${db.port}/${db.name}`;
    const slow = await drover.load("slow", { uri, options: { ...SLOW, secret } });
    await until(sleeps);
    await slow.cancel();
    await until(idle);
  });
});

describe("a server that can't be used is told by its reason", () => {
  const at = (uri: string, more: Readonly<Record<string, unknown>> = {}, password = db.password): Source => ({
    ...source({ table: "numbers" }),
    server: { name: "the server", uri, options: { user: db.user, ...more }, password },
  });

  it("with a wrong password, which no error shows", async () => {
    for (const tls of ["prefer", "disable"]) {
      const error = await failure(at(db.url, { tls }, "hunter2-is-secret"));
      expect(error.reason).toBe("LOGIN_REFUSED");
      expect(JSON.stringify({ ...error, message: error.message, cause: String(error.cause) })).not.toContain("hunter2");
    }
    expect((await failure(at(`mysql://127.0.0.1:${db.port}/nowhere_at_all`))).reason).toBe("LOGIN_REFUSED");
  });

  it("where nobody listens, nobody answers, or somebody else does", async () => {
    expect((await failure(at(`mysql://127.0.0.1:${await freePort()}/x`))).reason).toBe("CONNECTION_FAILED");
    for (const greeting of ["", "HTTP/1.1 400 Bad Request\r\n\r\n"]) {
      const other = createServer((socket) => void socket.on("error", () => undefined).write(greeting)).listen(
        0,
        "127.0.0.1",
      );
      await once(other, "listening");
      const address = other.address();
      const port = typeof address === "object" ? address?.port : undefined;
      expect((await failure(at(`mysql://127.0.0.1:${port}/x`, { connectTimeout: 1 }))).reason).toBe(
        "CONNECTION_FAILED",
      );
      other.close();
    }
  });

  it("where a server says nothing after the login", async () => {
    const sockets: Socket[] = [];
    const mute = createServer((client) => {
      const upstream = connectTcp(db.port, db.host);
      for (const socket of [client, upstream]) sockets.push(socket.on("error", () => undefined));
      upstream.pipe(client);
      client.on("data", (bytes) => bytes.includes("SET NAMES") || upstream.write(bytes));
    }).listen(0, "127.0.0.1");
    await once(mute, "listening");
    const { port } = mute.address() as AddressInfo;
    const asked = at(`mysql://127.0.0.1:${port}/${db.name}`, { connectTimeout: 1, tls: "disable" });
    expect((await failure(asked)).reason).toBe("CONNECTION_FAILED");
    for (const socket of sockets) socket.destroy();
    mute.close();
  });

  it("by the next host where one does not answer", async () => {
    const loaded = await loadSource(lab, at(`mysql://127.0.0.1:${await freePort()},127.0.0.1:${db.port}/${db.name}`));
    expect(loaded.rows).toBe(100_000);
  });

  it("when it closes the connection in the middle", async () => {
    await using proxy = await startCutProxy(`127.0.0.1:${db.port}`);
    await using session = await mysql.open(at(`mysql://${proxy.address}/${db.name}`), await labContext(lab));
    await session.plan({ maxPartitions: 1, preview: false });
    const content = await session.read({});
    if (content.form !== "text") throw new Error("rows should come as text");
    const read = async () => {
      for await (const _ of content.chunks) proxy.cut();
    };
    await expect(read()).rejects.toMatchObject({ reason: "CONNECTION_FAILED" });
    await until(idle);
  });

  it("when an administrator ends the statement or the connection", async () => {
    for (const [kill, reason] of [
      ["KILL QUERY", "SOURCE_QUERY_FAILED"],
      ["KILL", "CONNECTION_FAILED"],
    ]) {
      const ended = failure(source({ query: "SELECT a.id, SLEEP(0.01) AS s FROM numbers a" }));
      let id: string | null | undefined;
      await until(async () => {
        [id] = (await running()).find(([, , state]) => state === "User sleep") ?? [];
        return id !== undefined;
      });
      await db.run(`${kill} ${id}`);
      expect((await ended).reason).toBe(reason);
    }
  });

  it("when no byte comes any more, by the load's own deadline", async () => {
    await using proxy = await startCutProxy(`127.0.0.1:${db.port}`);
    const cancel = new AbortController();
    const context = await labContext(lab, { signal: cancel.signal });
    await using session = await mysql.open(at(`mysql://${proxy.address}/${db.name}`), context);
    proxy.stall("toClient");
    const planned = session.plan({ maxPartitions: 1, preview: false });
    cancel.abort(new DriverError("DEADLINE_EXCEEDED", "the deadline passed"));
    await expect(planned).rejects.toThrow("the deadline passed");
  });
});

it("the shape of a table stays as it is until the load has read it", async () => {
  await db.run("CREATE TABLE shaped (id INT PRIMARY KEY, a INT)");
  await db.run("INSERT INTO shaped SELECT seq, seq FROM seq_1_to_1000");
  let changed: Promise<unknown> = Promise.resolve();
  const loaded = await loadSource(lab, source({ table: "shaped", partitions: 2 }), {
    maxPartitions: 2,
    beforeReading: async () => {
      changed = db.run("ALTER TABLE shaped MODIFY a VARCHAR(10), ADD b INT");
      await delay(100);
    },
  });
  await changed;
  expect(loaded.types).toEqual({ id: "INTEGER", a: "INTEGER" });
  expect(loaded.rows).toBe(1_000);
  expect((await loadSource(lab, source({ table: "shaped" }))).types).toEqual({
    id: "INTEGER",
    a: "VARCHAR",
    b: "INTEGER",
  });
});

describe("another server", () => {
  let server: MariadbServer;
  beforeAll(async () => {
    // Settings that change how texts, dates and results come, where a client does not say otherwise.
    const odd = ["NO_BACKSLASH_ESCAPES", "PAD_CHAR_TO_FULL_LENGTH", "ANSI_QUOTES", "PIPES_AS_CONCAT"].join(",");
    server = await startMariadb([
      ...["--skip-character-set-client-handshake", "--character-set-server=latin1", "--default-time-zone=-03:00"],
      ...[`--sql-mode=${odd}`, "--init-connect=SET sql_select_limit=2", "--max-statement-time=100"],
    ]);
  });
  afterAll(async () => server?.[Symbol.asyncDispose]());

  const here = (
    options: Readonly<Record<string, unknown>>,
    more: Readonly<Record<string, unknown>> = {},
    host = "127.0.0.1",
    at = server,
  ): Source => ({
    kind: "mysql",
    uri: "",
    options,
    server: {
      name: "other",
      uri: `mysql://${host}:${at.port}/mysql`,
      options: { user: "drover", ...more },
      password: new URL(at.answer).password,
    },
  });

  it("has settings of its own, and gives the same", async () => {
    const query = `SELECT CAST('a' AS CHAR(3)) AS c, 'x' || 'y' AS d, '\\n' AS e, _utf8mb4 X'f09f9880' AS f, TIMESTAMP'2024-01-01 00:00:00' AS g UNION ALL SELECT seq, '', '', '', NULL FROM seq_1_to_4`;
    const { rows, values } = await loadSource(lab, here({ query }), { orderBy: "d DESC, c" });
    expect(rows).toBe(5);
    expect(values[0]).toEqual(["a", "xy", "\n", "😀", "2024-01-01 00:00:00"]);
  });

  it("is spoken to by TLS where it has it, unless that is switched off", async () => {
    const described = async (tls: string, at = server) => {
      await using session = await mysql.open(here({}, { tls }, "127.0.0.1", at), await labContext(lab));
      return (await session.test()).description;
    };
    for (const tls of ["prefer", "require"]) expect(await described(tls)).toMatch(/TLSv1/);
    expect(await described("disable")).toMatch(/without TLS/);
    await using plain = await startMariadb(["--skip-ssl"]);
    expect(await described("prefer", plain)).toMatch(/without TLS/);
    await expect(described("require", plain)).rejects.toMatchObject({ reason: "CONNECTION_TLS_FAILED" });
  });

  it("proves itself by its certificate, or is refused", async () => {
    const folder = await lab.folder();
    const [good, bad] = [join(folder, "good.pem"), join(folder, "bad.pem")];
    const { makeCertificate } = await import("../helpers/certificates.ts");
    await writeFile(good, server.authority);
    await writeFile(bad, makeCertificate("somebody else").cert);
    const reached = async (more: Readonly<Record<string, unknown>>, host?: string) =>
      (await mysql.open(here({}, more, host), await labContext(lab)))[Symbol.asyncDispose]();
    await reached({ tls: "verify-ca", tlsCaFile: good });
    await reached({ tlsCaFile: good }, "localhost");
    for (const more of [{ tls: "verify-ca", tlsCaFile: bad }, { tls: "verify-ca" }])
      await expect(reached(more)).rejects.toMatchObject({ reason: "CONNECTION_TLS_FAILED" });
  });

  it("that dies in the middle fails the load with a reason", async () => {
    let begun = 0;
    const query = "SELECT seq, SLEEP(0.01) AS s FROM seq_1_to_100000";
    const ended = failure(here({ query }), { onStatement: () => begun++ });
    // One to plan it, and one that reads.
    await until(async () => begun === 2);
    server.kill();
    expect((await ended).reason).toBe("CONNECTION_FAILED");
  });
});
