import { once } from "node:events";
import {
  access,
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ensureDriver } from "../../clients/node/src/index.ts";
import manifest from "../../package.json" with { type: "json" };
import { makeTarball } from "../../scripts/tarball.ts";
import { addressOf, ended, gone, type Person, person, programOf, tool } from "../helpers/installed.ts";

let folder: string;
let who: Person;
/** Where it was moved to after it was unpacked, and may not be written. */
let place: string;
let command: string;
let sales: string;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "drover-tarball-")));
  who = await person(folder);
  const file = await makeTarball(join(folder, "made"), { compression: 1 });
  await mkdir(join(folder, "unpacked"));
  await tool("tar", ["-xzf", file, "-C", join(folder, "unpacked")], folder);
  place = join(folder, "moved to", "another place");
  await mkdir(join(folder, "moved to"), { mode: 0o755 });
  await rename(join(folder, "unpacked", basename(file, ".tar.gz")), place);
  await tool("chmod", ["-R", "a-w", place], folder);
  // As an administrator puts it on everybody's PATH.
  await symlink("moved to/another place/bin/drover", join(folder, "command"));
  command = join(folder, "command");
  sales = join(folder, "sales.csv");
  await writeFile(sales, "city,price\nBern,3\nOslo,9\nBern,5\n", { mode: 0o644 });
  await chmod(sales, 0o644);
}, 300_000);

afterAll(async () => {
  await who?.[Symbol.asyncDispose]();
  await tool("chmod", ["-R", "u+w", "."], folder);
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
});

/** Loads and asks with the command that was unpacked. */
async function expectAnswers(env: Readonly<Record<string, string>>): Promise<void> {
  const load = await who.run([command, "load", "sales", sales], { env });
  expect([load.code, load.stderr]).toEqual([0, ""]);
  const question = ["query", "sales", "-d", "city", "-m", "avg:price", "--order", "city", "--json"];
  const answer = await who.run([command, ...question], { env });
  expect([answer.code, answer.stderr]).toEqual([0, ""]);
  expect(answer.stdout).toContain('"rows":[["Bern",4],["Oslo",9]]');
}

test("the driver serves in the foreground, from another place, through a link, with its own Node", async () => {
  const env = { DROVER_DATA_DIR: join(who.dataDir, "served") };
  const child = who.start([command, "serve"], { env, cwd: "/" });
  const done = ended(child);
  const { pid } = await addressOf({ ...who, dataDir: env.DROVER_DATA_DIR });
  expect(pid).toBe(child.pid);
  expect(await programOf(pid)).toBe(join(place, "lib", "node_modules", `node-linux-${process.arch}`, "bin", "node"));
  await expectAnswers(env);
  child.kill();
  expect((await done).code).toBe(0);
});

test("the command starts the driver that it was unpacked with, and no other", async () => {
  const env = { DROVER_DATA_DIR: join(who.dataDir, "started") };
  const started = await who.run([command, "start", "--json"], { env });
  expect([started.code, started.stderr]).toEqual([0, ""]);
  const { pid } = await addressOf({ ...who, dataDir: env.DROVER_DATA_DIR });
  const words = (await readFile(`/proc/${pid}/cmdline`, "utf8")).split("\0");
  expect(words).toContain(join(place, "lib", "node_modules", "@drover", "driver", "dist", "driver.mjs"));
  await expectAnswers(env);
  // Installing library sets needs nothing but what was unpacked.
  const wanted = `@drover/connector@${manifest.version}`;
  const source = ["-p", wanted, "--folder", join(place, "share", "npm")];
  const made = await who.run([command, "library-sets", "create", "own", ...source], { env });
  expect([made.code, made.stderr]).toEqual([0, ""]);
  expect(made.stdout).toMatch(/^own is there: 1 package, /);
  expect((await who.run([command, "stop"], { env })).code).toBe(0);
  await gone(pid);
});

test("a service manager's first connection starts it, and is answered", async () => {
  const dataDir = join(who.dataDir, "activated");
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const { fd } = (server as unknown as { readonly _handle: { readonly fd: number } })._handle;
  const early = fetch(`http://127.0.0.1:${port}/healthz`);
  const script = 'export LISTEN_FDS=1 LISTEN_PID=$$; exec "$0" serve';
  const child = who.start(["sh", "-c", script, command], { env: { DROVER_DATA_DIR: dataDir }, descriptors: [fd] });
  const done = ended(child);
  server.close();
  expect(await (await early).text()).toBe("alive\n");
  const { pid, address } = await addressOf({ ...who, dataDir });
  expect([pid, address]).toEqual([child.pid, `127.0.0.1:${port}`]);
  child.kill();
  expect((await done).code).toBe(0);
});

test("an app server starts it by the path of its program", async () => {
  const dataDirectory = join(folder, "program");
  const programs: unknown[] = [];
  const program = join(place, "bin", "drover-driver");
  await using drover = await ensureDriver({
    dataDirectory,
    program,
    onEvent: (event) => event.type === "starting" && programs.push(event.program),
  });
  const { pid, version } = await drover.driver();
  expect(programs).toEqual([{ command: [program], origin: "option", version }]);
  await drover.stop();
  await gone(pid);
});

test("it has the packages for app servers and for authors of connectors, the licences, and units whose paths are in it", async () => {
  const names = await readdir(join(place, "share", "npm"));
  expect(names.sort()).toEqual([
    expect.stringMatching(/^drover-client-\d.*\.tgz$/),
    expect.stringMatching(/^drover-connector-\d.*\.tgz$/),
  ]);
  const notices = await readFile(join(place, "THIRD-PARTY-NOTICES"), "utf8");
  for (const name of ["kysely", "commander", "@duckdb/node-bindings", `node-linux-${process.arch}`, "npm"])
    expect(notices).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+`, "m"));
  await access(join(place, "LICENSE"));
  const service = await readFile(join(place, "share", "systemd", "drover.service"), "utf8");
  const paths = [...service.matchAll(/\/opt\/drover\/([^\s]+)/g)].map(([, path = ""]) => path);
  expect(paths).toContain("bin/drover");
  for (const path of paths) await access(join(place, path));
});
