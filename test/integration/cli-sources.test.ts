import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { commandFile, eventsOf, runCli } from "../helpers/cli.ts";
import { startDriver, type TestDriver } from "../helpers/driver.ts";
import { type PostgresDatabase, postgresDatabase } from "../helpers/postgres-database.ts";

let driver: TestDriver;
let database: PostgresDatabase;
let folder: string;
let env: Record<string, string>;
const run = (...args: string[]) => runCli(args, { env, cwd: folder });

async function done(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...args);
  expect([code, stderr]).toEqual([0, ""]);
  return stdout;
}

async function json(...args: string[]) {
  return JSON.parse(await done(...args, "--json"));
}

/** Runs a command with something on its standard input. */
async function withInput(input: string, ...args: string[]) {
  const child = spawn(process.execPath, [commandFile, ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: "/nonexistent", ...env },
  });
  child.stdin.end(input);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code, stdout, stderr };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "drover-cli-sources-"));
  await writeFile(join(folder, "a.csv"), "i,t\n1,x\n2,y\n");
  database = await postgresDatabase();
  await database.run("CREATE TABLE orders AS SELECT 1 AS id, 'a' AS item UNION ALL SELECT 2, 'b'");
  driver = await startDriver();
  env = { DROVER_DATA_DIR: driver.dataDir };
});
afterAll(async () => {
  await driver?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

test("a source of files is kept, tested, loaded, disabled, and deleted", async () => {
  expect(await done("sources", "add", "files", "a.csv", "-o", "header=true", "--label", "team=a")).toBe(
    "files is kept\n",
  );
  expect((await json("sources", "list", "--label", "team=a")).sources).toMatchObject([
    {
      name: "files",
      source: { uri: join(folder, "a.csv"), format: "csv", options: { header: "true" } },
      disabled: false,
    },
  ]);
  expect(await done("sources", "list")).toMatch(/files +csv +\S+a\.csv +allowed/);
  expect(await done("sources", "test", "files")).toMatch(/^files: 1 file, \d+ bytes\n$/);
  expect(await done("sources", "preview", "files")).toMatch(/^ *i +t\n(.*\n)+i BIGINT, t VARCHAR\ncsv/);
  expect(await done("sources", "test", "a.csv")).toMatch(/^a.csv: 1 file, \d+ bytes\n$/);
  expect(await done("load", "files", "source:files")).toMatch(/^files: version 1, 2 rows/);
  expect(await done("sources", "disable", "files")).toBe("files is disabled\n");
  expect(await done("sources", "show", "files")).toMatch(/^loads +refused$/m);
  const refused = await run("load", "files", "source:files");
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/^drover: SOURCE_DISABLED: .*\nEnable it/)]);
  expect(await done("query", "files", "-m", "sum:i", "--json")).toContain("3");
  await done("sources", "enable", "files");
  await writeFile(join(folder, "b.csv"), "i;t\n1;x\n2;y\n3;z\n");
  expect(await done("sources", "update", "files", "--uri", "b.csv", "-o", "delimiter=;", "--label", "year=1")).toBe(
    "files is changed\n",
  );
  expect((await json("sources", "show", "files")).source).toMatchObject({
    source: { uri: join(folder, "b.csv"), format: "csv", options: { header: "true", delimiter: ";" } },
    labels: { team: "a", year: "1" },
  });
  expect(await done("load", "files", "source:files")).toMatch(/^files: version 2, 3 rows/);
  expect(await run("sources", "update", "files")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("nothing is to be changed"),
  });
  await done("load", "files", "source:files");
  expect(await done("sources", "rm", "files")).toBe("files is deleted\n");
  expect((await run("sources", "show", "files")).stderr).toMatch(/^drover: SOURCE_NOT_DEFINED: /);
});

test("a connection takes its password from standard input, a file or the keyboard, and shows it nowhere", async () => {
  const typed = await withInput(`${database.password}\n`, "connections", "add", "sales", database.url, "--password");
  expect(typed).toEqual({ code: 0, stdout: "sales is kept\n", stderr: "" });
  const tested = await run("connections", "test", "sales");
  expect([tested.code, tested.stdout]).toEqual([0, expect.stringMatching(/^sales: PostgreSQL \d+/)]);
  expect(tested.stderr).toBe("warning: the login is a superuser: one that may only read is safer\n");
  const file = join(folder, "password");
  await writeFile(file, "wrong\n");
  await done("connections", "update", "sales", "--password-file", file, "--max-statements", "3");
  const failed = await run("connections", "test", "sales");
  expect([failed.code, failed.stderr]).toEqual([1, expect.stringMatching(/^drover: LOGIN_REFUSED: /)]);
  await writeFile(file, database.password);
  await done("connections", "update", "sales", "--password-file", file);
  const shown = await json("connections", "show", "sales");
  expect(shown.connection).toMatchObject({ hasPassword: true, maxStatements: 3, usedBy: [] });
  expect(await done("connections", "list")).toMatch(/sales +postgres +postgresql:\S+ +kept/);
  expect(JSON.stringify(shown)).not.toContain(database.password);
  expect((await run("connections", "update", "sales", "--uri", `${database.url}_2`)).stderr).toMatch(
    /PASSWORD_REQUIRED/,
  );
  // A terminal of its own, in which nothing that is typed may appear.
  const command = [process.execPath, commandFile, "connections", "update", "sales", "--password"];
  const terminal = spawn("script", ["-qec", command.map((word) => `'${word}'`).join(" "), "/dev/null"], {
    env: { PATH: process.env.PATH, HOME: "/nonexistent", ...env },
  });
  let screen = "";
  terminal.stdout.setEncoding("utf8").on("data", (shownText: string) => {
    if (screen === "" && shownText !== "") terminal.stdin.write(`wrong\u0015${database.password}x\u007f\r`);
    screen += shownText;
  });
  await once(terminal, "close");
  expect(screen.replaceAll("\r", "")).toBe("Password: \nsales is changed\n");
  expect((await run("connections", "test", "sales")).code).toBe(0);
});

test("tables of a connection are listed, kept as a source, and loaded", async () => {
  const { stdout } = await run("sources", "tables", "--connection", "sales", "--contains", "public.", "--json");
  expect(eventsOf(stdout)).toMatchObject([{ event: "table", schema: "public", name: "orders", type: "table" }]);
  expect(await done("sources", "tables", "--connection", "sales", "--contains", "orders")).toMatch(
    /public +orders +table/,
  );
  await done("sources", "add", "orders", "--connection", "sales", "-o", "table=public.orders");
  expect(await done("load", "orders", "source:orders")).toMatch(/^orders: version 1, 2 rows/);
  expect(await done("load", "ids", "--connection", "sales", "-o", "query=SELECT id FROM orders")).toMatch(
    /^ids: version 1, 2 rows, 1 column/,
  );
  expect(await done("describe", "ids")).toMatch(/^source +connection sales, a query \(\d/m);
  await done("load", "items", "--connection", "sales", "-o", "table=public.orders");
  expect(await done("describe", "items")).toMatch(/^source +connection sales, table public\.orders \(\d/m);
  expect(await done("versions", "items")).toMatch(/ connection sales, table public\.orders( |$)/m);
  expect((await json("sources", "show", "orders")).source).not.toHaveProperty("librarySet");
  const used = await run("connections", "rm", "sales");
  expect([used.code, used.stderr]).toEqual([
    1,
    expect.stringMatching(/CONNECTION_IN_USE: .*"sales" is used by "orders"/),
  ]);
  expect(await done("connections", "show", "sales")).toMatch(/^used by +orders$/m);
});

test("definitions go out to a file and come back in", async () => {
  const file = join(folder, "definitions.json");
  const exported = await run("sources", "export", "--output", file);
  expect([exported.code, exported.stderr]).toEqual([0, `written to ${file}\n`]);
  const document = await readFile(file, "utf8");
  expect(document).not.toContain(database.password);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(JSON.parse(document)).toMatchObject({ connections: [{ name: "sales" }], sources: [{ name: "orders" }] });
  await done("sources", "rm", "orders");
  await done("connections", "rm", "sales");
  const looked = await run("sources", "import", file, "--dry-run");
  expect(looked.stdout).toBe("1 connection made, 1 source made (nothing was written)\n");
  expect((await json("connections", "list")).connections).toEqual([]);
  const taken = await withInput(document, "sources", "import", "-");
  expect(taken).toEqual({
    code: 0,
    stdout: "1 connection made, 1 source made\n",
    stderr: "connection sales needs its password: drover connections update sales --password\n",
  });
  expect((await withInput(database.password, "connections", "update", "sales", "--password-file", "-")).code).toBe(0);
  expect(await done("load", "orders", "source:orders")).toMatch(/^orders: version 2, 2 rows/);
  expect(await done("sources", "import", file)).toBe("2 definitions left as it was\n");
});

test("kinds and their options are told", async () => {
  expect(await done("sources", "kinds")).toMatch(/^csv +\.csv \.txt/m);
  expect(await done("sources", "kinds", "postgres")).toMatch(/^tls +disable, prefer, require, verify-ca, verify-full/m);
  expect((await json("sources", "kinds", "csv")).kinds[0].options.map(({ name }: { name: string }) => name)).toContain(
    "delimiter",
  );
});

test.each([
  [
    ["connections", "add", "x", "postgresql://u:hunter2@h/db"],
    1,
    /^drover: INVALID_CONNECTION: the URL holds a password/,
  ],
  [["connections", "add", "x", "postgresql://u@h/db", "--secret", "hunter2"], 1, /^drover: SECRET_FORBIDDEN: /],
  [["connections", "add", "x", "postgresql://u@h/db", "--password", "--password-file", "x"], 2, /give one of them/],
  [["connections", "add", "x", "postgresql://u@h/db", "--password-file", "/none"], 2, /^drover: USAGE: \/none: /],
  [["connections", "update", "sales"], 2, /nothing is to be changed/],
  [["sources", "add", "x"], 2, /a source needs a URI or --connection/],
  [["sources", "ad", "x"], 2, /unknown command 'ad'/],
  [["sources"], 2, /a command is missing/],
  [["sources", "kinds", "postgre"], 2, /did you mean "postgres"/],
  [["sources", "import", "/none"], 2, /^drover: USAGE: \/none: /],
] as const)("%j is refused", async (args, code, message) => {
  const result = await run(...args);
  expect([result.code, result.stdout]).toEqual([code, ""]);
  expect(result.stderr).toMatch(message);
  expect(result.stderr).not.toContain("hunter2");
});
