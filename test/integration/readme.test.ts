import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startExample } from "../helpers/app-server.ts";
import { commandFile, runCli } from "../helpers/cli.ts";
import { startDriver, type TestDriver } from "../helpers/driver.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const readme = await readFile(join(root, "README.md"), "utf8");

/** The code blocks of a language, in order. */
function blocks(language: string): readonly string[] {
  return [...readme.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
    .filter(([, name]) => name === language)
    .map(([, , code = ""]) => code);
}

const [appServer = "", page = "", snippet = ""] = blocks("ts");
const [commands = "", ...others] = blocks("sh");
const curl = others.find((block) => block.includes("curl ")) ?? "";

let driver: TestDriver;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "drover-readme-"));
  const rows = Array.from({ length: 2000 }, (_, index) => {
    const time = `2001-01-${String((index % 28) + 1).padStart(2, "0")} ${String(index % 24).padStart(2, "0")}:30:00`;
    return `${time},${(index % 150) - 20},${200 + (index % 900)},${["ATL", "ORD", "JFK"][index % 3]},LAX`;
  });
  const csv = `date,delay,distance,origin,destination\n${rows.join("\n")}\n`;
  await writeFile(join(folder, "flights.csv"), csv);
  await writeFile(join(folder, "delays-1.csv.gz"), gzipSync(`${csv}2001-01-01 00:00:00,,1,ATL,LAX\n`));
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  driver = await startDriver();
  const { code, stderr } = await runCli(["load", "flights", join(folder, "flights.csv")], { env: driverEnv() });
  expect([code, stderr]).toEqual([0, ""]);
});

afterAll(async () => {
  await driver?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const curlByFetch = `
const args = process.argv.slice(2);
const after = (flag) => args.flatMap((arg, index) => (args[index - 1] === flag ? [arg] : []));
const headers = Object.fromEntries(after("-H").map((header) => header.split(/: ?/)));
fetch(args.at(-1), { method: "POST", headers, body: after("-d")[0] }).then(async (answer) => process.stdout.write(await answer.text()));
`;

function driverEnv(): Record<string, string> {
  return { DROVER_DATA_DIR: driver.dataDir };
}

function start(file: string, args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(file, args, {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: `${dirname(process.execPath)}:${process.env.PATH}:${folder}`, HOME: folder, ...driverEnv(), ...env },
  });
  const done = Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { child, done: done.then(([stdout, stderr, [code]]) => ({ stdout, stderr, code })) };
}

/** Runs TypeScript as an app server would, with the client's sources in place of its build. */
function startScript(file: string, env?: Record<string, string>) {
  return start(process.execPath, ["--conditions=drover-source", file], env);
}

describe("the README", { timeout: 180_000 }, () => {
  test("shows the example as it is in the repository", async () => {
    expect(appServer).toBe(await readFile(join(root, "examples", "app-server", "main.ts"), "utf8"));
  });

  test("holds code that compiles", async () => {
    for (const name of ["events.ts", "login.ts", "pages.ts"])
      await cp(join(root, "examples", "app-server", name), join(folder, name));
    await writeFile(join(folder, "main.ts"), appServer);
    await writeFile(join(folder, "page.ts"), page);
    await writeFile(join(folder, "snippet.ts"), snippet);
    await writeFile(join(folder, "package.json"), '{"type":"module"}');
    const compilerOptions = { noEmit: true, rewriteRelativeImportExtensions: false, types: ["node"] };
    const config = { extends: join(root, "tsconfig.json"), compilerOptions, include: ["*.ts"] };
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config));
    const { stdout, code } = await start(join(root, "node_modules", ".bin", "tsc"), ["-p", folder]).done;
    expect([code, stdout]).toEqual([0, ""]);
  });

  test("shows an app server and a page that work together", async () => {
    await using server = await startExample(driverEnv());
    expect(server.instanceId).toBe(driver.instanceId);
    const cookie = await server.login("Ann");
    const script = join(folder, "drawn.ts");
    const api = page.replace('{ baseUrl: "/api" }', `{ baseUrl: "${server.url}/api", fetch: withCookie }`);
    const withCookie = `const withCookie: typeof fetch = (url, init) =>
      fetch(url, { ...init, headers: { ...Object.fromEntries(new Headers(init?.headers)), cookie: "${cookie}" } });`;
    const draw = 'await drawDelays("ORD", (rows) => console.log(JSON.stringify(rows)), AbortSignal.timeout(60_000));';
    await writeFile(script, `${withCookie}\n${api}\n${draw}`);
    const { stdout, stderr, code } = await startScript(script).done;
    expect([code, stderr]).toEqual([0, ""]);
    const rows: readonly { hour: number; count: number }[] = JSON.parse(stdout);
    expect(rows.map(({ hour }) => hour)).toEqual([1, 4, 7, 10, 13, 16, 19, 22]);
    expect(rows.reduce((sum, { count }) => sum + count, 0)).toBe(667);
  });

  test("shows calls that work", async () => {
    await writeFile(join(folder, "snippet.ts"), snippet.replace("/data/", `${folder}/`));
    const { stdout, stderr, code } = await startScript(join(folder, "snippet.ts")).done;
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toContain("2001 0");
    expect(stdout).toContain("delay: null");
    expect(stdout).toContain("worst: 129n");
  });

  test("shows commands that work", async () => {
    for (const line of commands.trim().split("\n")) {
      const command = line.replace("bin/drover", `node "${commandFile}"`);
      const { stdout, stderr, code } = await start("/bin/sh", ["-c", command]).done;
      expect([line, code, stderr]).toEqual([line, 0, ""]);
      expect(stdout.split("\n").length).toBeGreaterThan(3);
    }
  });

  test("shows a curl that works", async () => {
    // Where curl is not installed, its few options are carried out by fetch.
    await writeFile(join(folder, "curl"), `#!${process.execPath}\n${curlByFetch}`, { mode: 0o755 });
    const script = curl.replace("bin/drover", `node "${commandFile}"`);
    const { stdout, stderr, code } = await start("/bin/sh", ["-c", script]).done;
    expect([code, stderr]).toEqual([0, ""]);
    const { columns, rows } = JSON.parse(stdout);
    expect(columns.map(({ name }: { name: string }) => name).slice(0, 3)).toEqual(["origin", "count", "avg_delay"]);
    expect(rows).toHaveLength(3);
  });
});
