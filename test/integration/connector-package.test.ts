import { mkdtemp, readFile, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Author, author } from "../helpers/author.ts";
import { tool } from "../helpers/installed.ts";

let folder: string;
let ann: Author;
let packages: string;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "drover-author-")));
  ann = await author(folder);
  packages = join(folder, "packages");
});

afterAll(() => rm(folder, { recursive: true, force: true }));

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
