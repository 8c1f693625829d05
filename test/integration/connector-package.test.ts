import { mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ensureDriver } from "../../clients/node/src/index.ts";
import { type TableSpec, writeTable } from "../../examples/connector-dbf/test/table.ts";
import { type Author, author } from "../helpers/author.ts";
import { runCli } from "../helpers/cli.ts";
import { tool } from "../helpers/installed.ts";
import { type TestProfile, testProfile } from "../helpers/profile.ts";

// Starts of drivers, and an install.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

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
