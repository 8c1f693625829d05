import { execFile } from "node:child_process";
import { chmod, copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

const launcher = fileURLToPath(new URL("../../bin/drover", import.meta.url));
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "drover launcher-"));
  await mkdir(join(root, "bin"));
  await copyFile(launcher, join(root, "bin", "drover"));
  await chmod(join(root, "bin", "drover"), 0o755);
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function launch(file: string, args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  const PATH = `${dirname(process.execPath)}:/usr/bin:/bin`;
  return new Promise((resolve) =>
    execFile(file, [...args], { env: { PATH, HOME: root, ...env } }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    ),
  );
}

async function bundle(name: string): Promise<void> {
  await mkdir(join(root, "dist"), { recursive: true });
  const text =
    "console.log(JSON.stringify([import.meta.filename, process.argv.slice(2), process.env.NODE_COMPILE_CACHE]))";
  await writeFile(join(root, "dist", name), text);
}

test("the launcher runs the bundle of the command, from any folder and through links", async () => {
  await bundle("cli.mjs");
  await bundle("driver.mjs");
  await symlink("../bin/drover", join(root, "dist", "first"));
  await symlink(join(root, "dist", "first"), join(root, "second"));
  const cache = join(root, ".cache", "drover", "node-compile-cache");
  const cli = await launch(join(root, "second"), ["query", "a b", "-w", "x = 'y'"]);
  expect(JSON.parse(cli.stdout)).toEqual([join(root, "dist", "cli.mjs"), ["query", "a b", "-w", "x = 'y'"], cache]);
  const driver = await launch(join(root, "bin", "drover"), ["serve"]);
  expect(JSON.parse(driver.stdout)).toEqual([join(root, "dist", "driver.mjs"), ["serve"], cache]);
});

test("the launcher works where nothing can be cached", async () => {
  await bundle("cli.mjs");
  // Below a file no folder can be made, not even by root.
  const HOME = join(root, "dist", "cli.mjs");
  const { code, stdout } = await launch(join(root, "bin", "drover"), [], { HOME });
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual([join(root, "dist", "cli.mjs"), [], null]);
});

test("the launcher says how to build what is not built", async () => {
  const { code, stderr } = await launch(join(root, "bin", "drover"), ["datasets"]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/NOT_BUILT.*npm run build/);
});

test("the launcher refuses a Node that is too old, and says what it needs", async () => {
  await bundle("cli.mjs");
  await writeFile(join(root, "node"), "#!/bin/sh\necho 20\n", { mode: 0o755 });
  const { code, stdout, stderr } = await launch(join(root, "bin", "drover"), ["datasets"], {
    PATH: `${root}:/usr/bin:/bin`,
  });
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/NODE_NOT_FOUND.*Node 24/);
});
