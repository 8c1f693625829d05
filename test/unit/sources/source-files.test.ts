import { appendFile, mkdir, realpath, rename, symlink, utimes, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { isBelow } from "../../../src/sources/path-roots.ts";
import { findLocalFiles, requireUnchanged } from "../../../src/sources/source-files.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";

const signal = new AbortController().signal;
const find = (uri: string, fileRoots?: readonly string[]) => findLocalFiles({ uri }, { fileRoots, signal });

describe("places", () => {
  it("are paths, globs in the order of names, or file URIs", async () => {
    await using folder = await temporaryFolder();
    for (const name of ["b.csv", "a.csv", "10.csv", "9.csv", "c d.csv", "other.txt"])
      await writeFile(`${folder.path}/${name}`, name);
    const names = async (uri: string) => (await find(uri)).map(({ path }) => path.split("/").at(-1));
    expect(await names(`${folder.path}/*.csv`)).toEqual(["10.csv", "9.csv", "a.csv", "b.csv", "c d.csv"]);
    expect(await names(`${folder.path}/{a,b}.csv`)).toEqual(["a.csv", "b.csv"]);
    expect(await names(String(pathToFileURL(`${folder.path}/c d.csv`)))).toEqual(["c d.csv"]);
    expect(await names(`${folder.path}/x/../a.csv`)).toEqual(["a.csv"]);
  });

  it("may have the letters of globs in their names", async () => {
    await using folder = await temporaryFolder();
    await writeFile(`${folder.path}/data[1].csv`, "");
    expect(await find(`${folder.path}/data[1].csv`)).toHaveLength(1);
  });

  it.each(["https://example.org/a.csv", "s3://bucket/a.csv", "a.csv", "./a.csv", "file://elsewhere/a.csv", "/a\0.csv"])(
    "are not %j",
    async (uri) => {
      await expect(find(uri)).rejects.toMatchObject({ reason: "INVALID_SOURCE" });
    },
  );
});

describe("roots", () => {
  it("compare whole names", () => {
    expect(isBelow("/data/x", "/data")).toBe(true);
    expect(isBelow("/data", "/data")).toBe(true);
    expect(isBelow("/data-old/x", "/data")).toBe(false);
    expect(isBelow("/data/..x", "/data")).toBe(true);
    expect(isBelow("/", "/data")).toBe(false);
  });

  it("hold for links, for what is missing, and for globs", async () => {
    await using folder = await temporaryFolder();
    const base = await realpath(folder.path);
    await mkdir(`${base}/in`);
    await mkdir(`${base}/out`);
    await writeFile(`${base}/in/a.csv`, "");
    await writeFile(`${base}/out/secret.csv`, "");
    await symlink(`${base}/out/secret.csv`, `${base}/in/link.csv`);
    await symlink(`${base}/in/a.csv`, `${base}/out/back.csv`);
    const roots = [`${base}/in`];
    expect(await find(`${base}/in/a.csv`, roots)).toHaveLength(1);
    for (const uri of [
      "out/secret.csv",
      "in/link.csv",
      "in/../out/secret.csv",
      "out/none.csv",
      "out/*.csv",
      "in/*.csv",
      "none/x.csv",
    ])
      await expect(find(`${base}/${uri}`, roots)).rejects.toMatchObject({ reason: "PATH_NOT_ALLOWED" });
    await expect(find(`${base}/in/none.csv`, roots)).rejects.toMatchObject({ reason: "SOURCE_NOT_FOUND" });
    await expect(find(`${base}/in/a.csv`, [])).rejects.toMatchObject({ reason: "PATH_NOT_ALLOWED" });
  });
});

describe("a file that changes while it is read", () => {
  it.each(["grows", "is touched", "is replaced", "is removed"])("is noticed when it %s", async (how) => {
    await using folder = await temporaryFolder();
    const path = `${folder.path}/a.csv`;
    await writeFile(path, "a\n1\n");
    const origins = await find(path);
    await requireUnchanged(origins, { signal });
    if (how === "grows") await appendFile(path, "2\n");
    else if (how === "is touched") await utimes(path, 1, 1);
    else if (how === "is removed") await rename(path, `${path}.old`);
    else {
      await writeFile(`${path}.new`, "a\n2\n");
      await rename(`${path}.new`, path);
    }
    await expect(requireUnchanged(origins, { signal })).rejects.toMatchObject({ reason: "SOURCE_CHANGED" });
  });
});
