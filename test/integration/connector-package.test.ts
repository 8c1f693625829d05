import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Drover, ensureDriver } from "../../clients/node/src/index.ts";
import { type TableSpec, writeTable } from "../../examples/connector-dbf/test/table.ts";
import { type Author, author } from "../helpers/author.ts";
import { runCli } from "../helpers/cli.ts";
import { tool } from "../helpers/installed.ts";
import { packFolders } from "../helpers/npm-packages.ts";
import { type PostgresDatabase, postgresDatabase } from "../helpers/postgres-database.ts";
import { type TestProfile, testProfile } from "../helpers/profile.ts";

let folder: string;
let ann: Author;
let packages: string;
let profile: TestProfile;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "drover-author-")));
  ann = await author(folder);
  packages = join(folder, "packages");
  profile = await testProfile();
  await profile.configure("");
});

afterAll(async () => {
  await profile?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe("the author of the example package", () => {
  test("compiles it against the types of the interface's package, all of them checked", async () => {
    expect(await ann.build()).toBe("");
    const types = await readFile(
      join(ann.folder, "node_modules", "@drover", "connector", "dist", "index.d.ts"),
      "utf8",
    );
    expect(types).toContain("ConnectorError");
  });

  test("runs its own tests", async () => {
    expect(await ann.test()).toMatch(/^ℹ pass [1-9]\d*\n(?:.*\n)*?ℹ fail 0$/m);
  });

  test("packs it with its compiled modules and nothing else", async () => {
    expect(await ann.pack(packages)).toEqual([
      "drover-connector-dbf-1.0.0.tgz",
      expect.stringMatching(/^iconv-lite-\d.*\.tgz$/),
      expect.stringMatching(/^safer-buffer-\d.*\.tgz$/),
    ]);
    const names = await tool("tar", ["-tzf", join(packages, "drover-connector-dbf-1.0.0.tgz")], folder);
    const files = names.trimEnd().split("\n");
    expect(files).toContain("package/dist/connector.js");
    expect(files.filter((file) => !/^package\/(dist\/[a-z-]+\.js|package\.json|README\.md)$/.test(file))).toEqual([]);
  });
});

const towns: TableSpec = {
  mark: 2,
  encoding: "cp850",
  fields: [
    { name: "TOWN", type: "C", length: 12 },
    { name: "PEOPLE", type: "N", length: 9 },
    { name: "FOUNDED", type: "D", length: 8 },
  ],
  records: [
    { values: ["Zürich", "443037", "12180101"] },
    { values: ["Altona", "1", "16640823"], deleted: true },
    { values: ["Málaga", "577405", ""] },
  ],
};

describe("an administrator of a machine without a network", () => {
  const command = (...args: string[]) => runCli(args, { env: { DROVER_DATA_DIR: profile.dataDirectory }, cwd: folder });

  test("makes a set of the package from a folder, and tries it with a table before anybody else uses it", async () => {
    await writeTable(join(folder, "towns.dbf"), towns);
    await using _ = await ensureDriver(profile.options);
    const made = await command(
      ...["library-sets", "create", "tables", "-p", "drover-connector-dbf@1.0.0", "--folder", packages],
    );
    expect([made.code, made.stderr]).toEqual([0, ""]);
    expect(made.stdout).toMatch(/^tables is there: 3 packages, .*, serves dbf, [0-9a-f]{12}\n$/);

    const checked = await command("library-sets", "check", "tables", "--source", "towns.dbf");
    expect([checked.code, checked.stderr]).toEqual([0, ""]);
    const lines = [
      /^kind dbf +loads, with drover-connector-dbf 1\.0\.0 and 2 packages that they need$/m,
      /^parsers of drover-connector-dbf +js:dbfDate$/m,
      /^source towns\.dbf +dBASE, 3 records in \S*towns\.dbf, cp850$/m,
      /^drover-connector-dbf +1\.0\.0 +Apache-2\.0 +asked for$/m,
      /^iconv-lite +\S+ +MIT/m,
      /^no problems$/m,
    ];
    for (const line of lines) expect(checked.stdout).toMatch(line);

    await writeFile(join(folder, "broken.dbf"), "this is no table at all, although it has more bytes than a header\n");
    const failed = await command("library-sets", "check", "tables", "--source", "broken.dbf");
    expect(failed.code).toBe(1);
    expect(failed.stdout).toMatch(
      /^error: \S*broken\.dbf: \S*broken\.dbf is no dBASE table: .* \(MALFORMED_SOURCE\)$/m,
    );
    // Nobody reads such files yet: no configuration names the set.
    const early = await command("load", "towns", "towns.dbf");
    expect(early.stderr).toContain("UNKNOWN_FORMAT");
  });

  test("names it in a profile, whose next driver loads such tables and answers questions about them", async () => {
    await profile.configure('librarySets.kinds = { dbf = "tables", csv = "tables" }\n');
    await using drover = await ensureDriver(profile.options);
    const load = await drover.load("towns", { uri: join(folder, "towns.dbf") });
    expect(await load.result()).toMatchObject({ operation: { outcome: { rows: 2 } } });
    expect(await drover.sql("SELECT * FROM towns ORDER BY PEOPLE").rows()).toEqual([
      { TOWN: "Zürich", PEOPLE: 443037n, FOUNDED: "1218-01-01" },
      { TOWN: "Málaga", PEOPLE: 577405n, FOUNDED: null },
    ]);
    const status = await command("status");
    expect(status.stdout).toMatch(/tables [0-9a-f]{12} for csv, dbf: drover-connector-dbf 1\.0\.0/);
    const described = await command("describe", "towns");
    expect(described.stdout).toMatch(/tables [0-9a-f]{12}: drover-connector-dbf 1\.0\.0, iconv-lite \S+, safer-buffer/);
    expect((await drover.sources.kinds()).find(({ kind }) => kind === "dbf")).toMatchObject({
      summary: "dBASE and FoxPro tables; memo fields are left out.",
      extensions: ["dbf"],
    });
  });

  test("gives its users the package's options, errors and previews as those of built-in kinds", async () => {
    await using drover = await ensureDriver(profile.options);
    const uri = join(folder, "towns.dbf");
    const all = await drover.load("towns", { uri, options: { deleted: true } });
    expect(await all.result()).toMatchObject({ operation: { outcome: { rows: 3 } } });
    await expect(drover.load("towns", { uri, options: { deletd: true } })).rejects.toMatchObject({
      reason: "UNKNOWN_OPTION",
      message: 'dbf has no option "deletd"; did you mean "deleted"?',
    });
    const wrong = await drover.load("towns", { uri, options: { encoding: "cp1" } });
    await expect(wrong.result()).rejects.toMatchObject({ reason: "INVALID_OPTION" });
    const broken = await drover.load("broken", { uri: join(folder, "broken.dbf") });
    await expect(broken.result()).rejects.toMatchObject({ reason: "MALFORMED_SOURCE" });
    const { columns, rows } = await drover.preview({ uri }, { limit: 1 });
    expect(columns.map(({ name, type }) => `${name} ${type}`)).toEqual([
      "TOWN VARCHAR",
      "PEOPLE BIGINT",
      "FOUNDED DATE",
    ]);
    expect(rows).toHaveLength(1);
    const parsed = { "parsers.TOWN": "upper(value)", "types.PEOPLE": "VARCHAR" };
    await (await drover.load("upper", { uri, options: parsed })).result();
    expect(await drover.sql("SELECT TOWN, PEOPLE FROM upper ORDER BY TOWN").rows()).toEqual([
      { TOWN: "MÁLAGA", PEOPLE: "577405" },
      { TOWN: "ZÜRICH", PEOPLE: "443037" },
    ]);
    await expect(drover.load("upper", { uri, options: { "parsers.TOWN": "js:no such" } })).rejects.toMatchObject({
      reason: "INVALID_OPTION",
    });
  });

  test("has value parsers of the package for kinds that the set serves", async () => {
    await writeFile(join(folder, "born.csv"), "name,born\nAda,18151210\nNobody,soon\n");
    await using drover = await ensureDriver(profile.options);
    const options = { "parsers.born": "js:dbfDate", "types.born": "DATE" };
    const load = await drover.load("born", { uri: join(folder, "born.csv"), options });
    await load.result();
    expect(await drover.sql("SELECT * FROM born ORDER BY name").rows()).toEqual([
      { name: "Ada", born: "1815-12-10" },
      { name: "Nobody", born: null },
    ]);
    const unknown = await drover.load("born", {
      uri: join(folder, "born.csv"),
      options: { "parsers.born": "js:dbfDat" },
    });
    await expect(unknown.result()).rejects.toMatchObject({
      reason: "INVALID_OPTION",
      message: expect.stringContaining('did you mean "dbfDate"?'),
    });
  });
});

const repository = join(import.meta.dirname, "..", "..");
/** pg, and what it needs. */
const NEEDED = /^(?:pg|pg-(?:cloudflare|connection-string|int8|pool|protocol|types)|pgpass|postgres-.*|split2|xtend)$/;

/** A connector that logs in at a server by options of its own. */
describe("a package's kind of server", () => {
  let database: PostgresDatabase;
  let drover: Drover;
  const server = () => `ledger://${database.host}:${database.port}`;
  const options = () => ({ user: database.user, database: database.name });

  beforeAll(async () => {
    database = await postgresDatabase();
    await database.run("CREATE TABLE accounts (account text, balance numeric(18,2))");
    await database.run("INSERT INTO accounts VALUES ('bank', 1234.5), ('bakery', -7), ('cash', 0.01)");
    const own = join(folder, "servers");
    const modules = join(repository, "node_modules");
    await packFolders(own, [
      join(repository, "test", "fixtures", "packages", "ledger"),
      ...(await readdir(modules)).filter((name) => NEEDED.test(name)).map((name) => join(modules, name)),
    ]);
    await using before = await ensureDriver(profile.options);
    const made = await before.librarySets.create({
      ...{ name: "books", packages: [{ name: "ledger-connector", version: "1.0.0" }], folder: own },
      settings: { ledger: { batch: "2" } },
    });
    expect(made.kinds).toContain("ledger");
    await profile.configure('librarySets.kinds = { ledger = "books" }\n');
    drover = await ensureDriver(profile.options);
  });
  afterAll(async () => {
    await drover?.close();
    await database?.[Symbol.asyncDispose]();
  });

  const books = () => ({ name: "books", uri: server(), options: options() });

  test("has stored connections, whose password its connector gets and nobody else", async () => {
    const { password } = database;
    expect(await drover.connections.create(books(), { password })).toMatchObject({
      ...{ kind: "ledger", hasPassword: true, librarySet: "books" },
    });
    const shown = await runCli(["connections", "show", "books", "--data-dir", profile.dataDirectory]);
    expect(shown.stdout).toMatch(/^read with +library set books$/m);
    expect(await drover.connections.test("books")).toEqual({ description: "a ledger of 3 accounts", warnings: [] });
    const tables = [];
    for await (const table of drover.sources.tables({ connection: "books" })) tables.push(table);
    expect(tables).toMatchObject([{ schema: "ledger", name: "accounts" }]);
    await drover.sources.create({ name: "banks", source: { connection: "books", options: { account: "ba%" } } });
    const { operation } = await (await drover.load("banks", { uri: "source:banks" })).result();
    expect(operation.outcome?.libraries).toMatchObject({
      set: { name: "books" },
      packages: expect.arrayContaining([
        expect.objectContaining({ name: "pg" }),
        { name: "ledger-connector", version: "1.0.0" },
      ]),
    });
    expect(await drover.sql("SELECT * FROM banks ORDER BY account").rows()).toEqual([
      { account: "bakery", balance: "-7.00" },
      { account: "bank", balance: "1234.50" },
    ]);
    const told = [await drover.connections.get("books"), await drover.dataset("banks"), operation];
    expect(JSON.stringify(told, (_, value) => (typeof value === "bigint" ? `${value}` : value))).not.toContain(
      password,
    );
  });

  test("is read by its URL, too, with a secret that the driver reads", async () => {
    const secret = join(folder, "password");
    await writeFile(secret, database.password, { mode: 0o600 });
    const given = { ...options(), account: "cash", secret: `file:${secret}` };
    await (await drover.load("cash", { uri: server(), options: given })).result();
    expect(await drover.sql("SELECT * FROM cash").rows()).toEqual([{ account: "cash", balance: "0.01" }]);
  });

  test.each<[string, () => Promise<unknown>, string, string]>([
    [
      "an option that a connection does not have",
      () => drover.connections.create({ ...books(), name: "x", options: { usr: "ann" } }),
      "UNKNOWN_OPTION",
      'ledger has no option "usr"; did you mean "user"?',
    ],
    [
      "a value of another type",
      () => drover.connections.create({ ...books(), name: "x", options: { ...options(), batch: "many" } }),
      "INVALID_OPTION",
      'option batch: "many" is not',
    ],
    [
      "a URL of something else",
      () => drover.connections.create({ ...books(), name: "x", kind: "ledger", uri: database.url }),
      "INVALID_CONNECTION",
      "is no URL of ledger",
    ],
    [
      "a password in the URL",
      () => drover.connections.create({ ...books(), name: "x", uri: "ledger://ann:hunter2@localhost" }),
      "INVALID_CONNECTION",
      "the URL holds a password",
    ],
    [
      "an option of the connection, in a source that uses it",
      () => drover.load("x", { connection: "books", options: { user: "ann" } }),
      "INVALID_OPTION",
      'option user: belongs to the connection "books"',
    ],
    [
      "a wrong password",
      () => drover.connections.test(books(), { password: "hunter2" }),
      "LOGIN_REFUSED",
      "refuses the login",
    ],
  ])("refuses %s", async (_, attempt, reason, message) => {
    const error = await attempt().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ reason, message: expect.stringContaining(message) });
    expect(JSON.stringify(error)).not.toContain("hunter2");
  });

  test("has a load that waits at the server stopped by cancel, and leaves nothing there", async () => {
    await database.run("BEGIN; LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE");
    const load = await drover.load("late", { connection: "books" });
    const result = load.result().catch((error: unknown) => error);
    const waiting = () =>
      database.run("SELECT count(*) FROM pg_locks WHERE relation = 'accounts'::regclass AND NOT granted");
    await expect.poll(waiting, { timeout: 30_000 }).toEqual([["1"]]);
    await load.cancel();
    expect(await result).toMatchObject({ reason: "CANCELLED" });
    await expect.poll(waiting, { timeout: 30_000 }).toEqual([["0"]]);
    await database.run("COMMIT");
  });
});
