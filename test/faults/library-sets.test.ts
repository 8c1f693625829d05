import { execFile, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { connect } from "../../clients/node/src/index.ts";
import { startDriver } from "../helpers/driver.ts";
import { integrityOf, lockfileFor, packPackage } from "../helpers/npm-packages.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

const program = [
  process.execPath,
  "--conditions=drover-source",
  join(import.meta.dirname, "programs/install-library-sets.ts"),
];
const run = promisify(execFile);
const patience = { timeout: 60_000 };

/** Whether this machine lets us mount; containers often don't. */
const unshare = process.getuid?.() === 0 ? ["--mount"] : ["--mount", "--map-root-user"];
const mount = `mount -t tmpfs -o size=2m tmpfs "$1"`;
const mayMount = spawnSync("unshare", [...unshare, "sh", "-c", mount, "sh", "/mnt"]).status === 0;

describe("without room", { timeout: 60_000 }, () => {
  const expected = { large: "DISK_FULL", names: [], staging: [], small: "made", hashes: 1, listed: ["small"] };

  async function packages(folder: string): Promise<string> {
    const path = join(folder, "packages");
    await packPackage(path, { name: "large", files: { "data.txt": randomBytes(2_500_000).toString("base64") } });
    await packPackage(path, { name: "small" });
    return path;
  }

  it("an install fails with DISK_FULL where a file may not grow, and nothing of it stays", async () => {
    await using folder = await temporaryFolder();
    const limited = ["--fsize=1000000", ...program, join(folder.path, "data")];
    const { stdout } = await run("prlimit", [...limited, await packages(folder.path)]);
    expect(JSON.parse(stdout)).toEqual(expected);
  });

  const onFullDisk = async () => {
    await using folder = await temporaryFolder();
    await using disk = await temporaryFolder();
    const script = `${mount} && exec "$2" "$3" "$4" "$1/data" "$5"`;
    const shell = ["sh", "-c", script, "sh", disk.path, ...program, await packages(folder.path)];
    const { stdout } = await run("unshare", [...unshare, ...shell]);
    expect(JSON.parse(stdout)).toEqual(expected);
  };

  if (mayMount) it("an install fails with DISK_FULL on a disk that is full, and nothing of it stays", onFullDisk);
});

describe("a driver that is killed in the middle of an install", { timeout: 120_000 }, () => {
  it("takes npm and the scripts of packages with it, and leaves no half of a set", async () => {
    await using folder = await temporaryFolder();
    const dataDir = join(folder.path, "data");
    const packages = join(folder.path, "packages");
    const started = join(folder.path, "pids");
    const file = await packPackage(packages, {
      name: "endless",
      manifest: { scripts: { install: "node endless.js" } },
      files: {
        "endless.js": `require("node:fs").writeFileSync(${JSON.stringify(started)}, process.pid + " " + process.ppid + " ");
          setInterval(() => {}, 1000);`,
      },
    });
    const lockfile = lockfileFor("endless", "1.0.0", await integrityOf(file), { hasInstallScript: true });
    const draft = { name: "never", lockfile, folder: packages };
    await using driver = await startDriver({ dataDir });
    await using client = await connect(driver);
    const asked = client.librarySets.create({ ...draft, allowScripts: ["endless"] }).catch((error) => error.reason);
    await expect.poll(() => readFile(started, "utf8").catch(() => ""), patience).toMatch(/^\d+ \d+ $/);
    const pids = (await readFile(started, "utf8")).trim().split(" ").map(Number);
    const sets = join(dataDir, "library-sets");
    expect(await readdir(join(sets, "staging"))).not.toEqual([]);
    expect(pids.map(lives)).toEqual([true, true]);
    await driver.stop("SIGKILL");
    expect(["STREAM_CUT", "UNAVAILABLE"]).toContain(await asked);
    await expect.poll(() => pids.map(lives), patience).toEqual([false, false]);

    expect((await readdir(sets)).sort()).toEqual(["names", "staging"]);
    expect(await readdir(join(sets, "names"))).toEqual([]);
    await using next = await startDriver({ dataDir });
    await using other = await connect(next);
    await expect.poll(() => readdir(join(sets, "staging")), patience).toEqual([]);
    await expect(other.librarySets.get("never")).rejects.toMatchObject({ reason: "LIBRARY_SET_NOT_FOUND" });
    // Without its script the package is as good as any.
    expect(await other.librarySets.create(draft)).toMatchObject({ packages: [{ scripts: "skipped" }] });
  });
});

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
