import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, glob, mkdir, readFile, readlink } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { sendSignal } from "./driver-processes.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));
/** What the machine offers without this repository: npm, and a Node that may be older than the one that Drover brings. */
const systemPath = (process.env.PATH ?? "")
  .split(delimiter)
  .filter((path) => !path.startsWith(repository))
  .join(delimiter);
const nobody = 65_534;
const patienceMs = 60_000;

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Somebody who works with what was installed, not with the repository, and not as root; ends what runs when disposed of. */
export interface Person extends AsyncDisposable {
  readonly dataDir: string;
  /** Starts a program. */
  start(command: readonly string[], options?: PersonOptions): ChildProcess;
  /** Runs a program to its end. */
  run(command: readonly string[], options?: PersonOptions): Promise<Outcome>;
}

export interface PersonOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What comes after stderr. */
  readonly descriptors?: readonly number[];
}

/** A person with a home in a folder, which becomes open to everybody. Tests that run as root work for user `nobody`. */
export async function person(folder: string): Promise<Person> {
  const home = join(folder, "home");
  const dataDir = join(home, "data");
  await mkdir(home, { mode: 0o700 });
  await chmod(folder, 0o755);
  const isRoot = process.getuid?.() === 0;
  if (isRoot) await chown(home, nobody, nobody);
  const identity = isRoot ? { uid: nobody, gid: nobody } : {};
  const children = new Set<ChildProcess>();
  const start = ([file = "", ...args]: readonly string[], options: PersonOptions = {}) => {
    const child = spawn(file, args, {
      ...identity,
      cwd: options.cwd ?? home,
      stdio: ["ignore", "pipe", "pipe", ...(options.descriptors ?? [])],
      env: {
        PATH: systemPath,
        HOME: home,
        DROVER_DATA_DIR: dataDir,
        npm_config_update_notifier: "false",
        ...options.env,
      },
    });
    children.add(child);
    child.once("close", () => children.delete(child));
    return child;
  };
  return {
    dataDir,
    start,
    run: (command, options) => ended(start(command, options)),
    [Symbol.asyncDispose]: async () => {
      for (const child of children) child.kill("SIGKILL");
      await killDrivers(folder);
    },
  };
}

/** Those that a failed test has left, whose address files are below a folder. */
async function killDrivers(folder: string): Promise<void> {
  for await (const file of glob("**/drivers/*.json", { cwd: folder, exclude: ["**/node_modules"] })) {
    // One that ends takes its file away.
    const content = await readFile(join(folder, file), "utf8").catch(() => "{}");
    const { pid } = JSON.parse(content) as Partial<AddressContent>;
    if (pid === undefined || !(await ownedBy(folder, pid))) continue;
    sendSignal(pid, "SIGKILL");
    await gone(pid);
  }
}

async function ownedBy(folder: string, pid: number): Promise<boolean> {
  return (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).includes(folder);
}

/** What a program has said by its end. */
export async function ended(child: ChildProcess): Promise<Outcome> {
  if (child.stdout === null || child.stderr === null) throw new Error("its output goes elsewhere");
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code, stdout, stderr };
}

export interface AddressContent {
  readonly pid: number;
  readonly address: string;
  readonly version: string;
}

/** The address file as soon as there is one; throws if there is none in time. */
export async function addressOf({ dataDir }: Person): Promise<AddressContent> {
  const end = Date.now() + patienceMs;
  while (Date.now() < end) {
    const content = await readFile(join(dataDir, "drivers", "default.json"), "utf8").catch(() => undefined);
    if (content !== undefined) return JSON.parse(content);
    await delay(20);
  }
  throw new Error("no driver serves");
}

/** The program that a process runs. */
export function programOf(pid: number): Promise<string> {
  return readlink(`/proc/${pid}/exe`);
}

/** Waits until a process is gone that is nobody's child here. */
export async function gone(pid: number): Promise<void> {
  const end = Date.now() + patienceMs;
  while (Date.now() < end) {
    const state = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    if (state === "" || /\) Z /.test(state)) return;
    await delay(20);
  }
  throw new Error(`process ${pid} goes on`);
}

/** Runs a program of the machine that must succeed, without what the repository puts on the PATH. */
export function tool(file: string, args: readonly string[], cwd: string): Promise<string> {
  const { PATH: _, ...env } = process.env;
  return new Promise((resolve, reject) =>
    execFile(file, [...args], { cwd, env: { ...env, PATH: systemPath } }, (error, stdout, stderr) =>
      error === null ? resolve(stdout) : reject(new Error(`${error.message}\n${stdout}\n${stderr}`, { cause: error })),
    ),
  );
}
