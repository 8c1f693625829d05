import { once } from "node:events";
import { access, cp, mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Packed, pack } from "../../scripts/packages.ts";
import { addressOf, ended, gone, type Person, person, programOf, tool } from "../helpers/installed.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const manifest = JSON.parse(await readFile(join(repository, "package.json"), "utf8"));
const quiet = ["--prefer-offline", "--no-audit", "--no-fund", "--no-progress", "--loglevel=error"];

/** npm may have to fetch much, and unpacks hundreds of megabytes. */
const INSTALL_MS = 600_000;

let folder: string;
let app: string;
let modules: string;
/** The Node that came with the driver. */
let node: string;
let packed: Packed;
let who: Person;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "drover-packages-")));
  app = join(folder, "app");
  modules = join(app, "node_modules");
  node = join(modules, `node-linux-${process.arch}`, "bin", "node");
  who = await person(folder);
  packed = await pack(join(folder, "packages"));
  await mkdir(app);
  await writeFile(join(app, "package.json"), JSON.stringify({ name: "shop", private: true, type: "module" }));
  await tool("npm", ["install", ...quiet, ...Object.values(packed)], app);
  await writeFile(join(app, "sales.csv"), "city,price\nBern,3\nOslo,9\nBern,5\n");
}, INSTALL_MS);

afterAll(async () => {
  await who?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const appServer = `
import { createServer } from "node:http";
import { avg, ensureDriver } from "@drover/client";

const told = [];
const drover = await ensureDriver({ onEvent: (event) => told.push(event) });
const load = await drover.load("sales", { uri: process.argv[2] });
await load.result();
const server = createServer(async (_, response) => {
  const spec = { dimensions: ["city"], measures: [avg("price").as("price")], order: ["city"] };
  response.end(JSON.stringify({ rows: await drover.query("sales", spec).rows(), told }));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
`;

describe("the packages, installed in an empty folder", { timeout: 180_000 }, () => {
  test("give an app server a driver that answers, and the command works with the same one", async () => {
    await writeFile(join(app, "server.js"), appServer);
    const server = who.start([node, join(app, "server.js"), join(app, "sales.csv")], { cwd: app });
    const done = ended(server);
    const [port] = await Promise.race([
      once(server.stdout as NodeJS.ReadableStream, "data"),
      done.then(({ stderr }) => Promise.reject(new Error(stderr))),
    ]);
    const response = await fetch(`http://127.0.0.1:${Number(port)}/`);
    const { rows, told } = (await response.json()) as { rows: unknown; told: readonly { readonly type: string }[] };
    expect(rows).toEqual([
      { city: "Bern", price: 4 },
      { city: "Oslo", price: 9 },
    ]);
    const program = join(modules, "@drover", "driver", "bin", "drover-driver");
    expect(told.find(({ type }) => type === "starting")).toMatchObject({
      program: { command: [program], origin: "package", version: manifest.version },
    });
    const { pid, version } = await addressOf(who);
    expect(version).toBe(manifest.version);
    expect(await programOf(pid)).toBe(node);

    const question = ["npx", "--no", "drover", "query", "sales", "-d", "city", "-m", "count", "--order", "city"];
    const answer = await who.run([...question, "--json"], { cwd: app });
    expect([answer.code, answer.stderr]).toEqual([0, ""]);
    expect(answer.stdout).toContain('"rows":[["Bern","2"],["Oslo","1"]]');
    const source = ["-p", `@drover/connector@${manifest.version}`, "--folder", join(folder, "packages")];
    const made = await who.run([join(modules, ".bin", "drover"), "library-sets", "create", "own", ...source]);
    expect([made.code, made.stderr]).toEqual([0, ""]);
    // The npm that does so is the driver's alone.
    await expect(access(join(modules, ".bin", "npm"))).rejects.toThrow("ENOENT");
    const stopped = await who.run([join(modules, ".bin", "drover"), "stop"]);
    expect(stopped.code).toBe(0);
    await gone(pid);
    server.kill();
    await done;
  });

  test("run a driver in the foreground, whose process is the one that was started", async () => {
    const env = { DROVER_DATA_DIR: join(who.dataDir, "..", "other") };
    const child = who.start([join(modules, ".bin", "drover"), "serve"], { env });
    const done = ended(child);
    const { pid } = await addressOf({ ...who, dataDir: env.DROVER_DATA_DIR });
    expect(pid).toBe(child.pid);
    child.kill();
    expect((await done).code).toBe(0);
    // With options before the command, which the command's own program understands.
    const config = await who.run([join(modules, ".bin", "drover"), "--data-dir", "/some where", "config", "show"]);
    expect(config.stdout).toContain("dataDir = /some where\n");
  });

  test("bring the licences of all that is inside", async () => {
    const names = { driver: ["@grpc/grpc-js", "kysely", "apache-arrow", "npm"], cli: ["@grpc/grpc-js", "commander"] };
    for (const [name, inside] of Object.entries(names)) {
      const notices = await readFile(join(modules, "@drover", name, "THIRD-PARTY-NOTICES"), "utf8");
      for (const each of inside) expect(notices).toMatch(new RegExp(`^${each} \\d+\\.\\d+\\.\\d+ \\(`, "m"));
      await access(join(modules, "@drover", name, "LICENSE"));
    }
  });
});

describe("the client's package", { timeout: INSTALL_MS }, () => {
  test("has no native code and no source, and nothing that it needs has", async () => {
    const files = await filesOf(join(modules, "@drover", "client"));
    expect(files).toContain("dist/index.js");
    expect(files.filter((file) => !/^dist\/.*\.(js|d\.ts)$/.test(file)).sort()).toEqual([
      "LICENSE",
      "README.md",
      "package.json",
    ]);
    for (const name of await neededBy("@drover/client")) {
      expect(
        (await filesOf(join(modules, name))).filter((file) => /\.(node|so|dll|dylib)$|binding\.gyp$/.test(file)),
      ).toEqual([]);
    }
    const sources = await Promise.all(
      files
        .filter((file) => file.endsWith(".js"))
        .map((file) => readFile(join(modules, "@drover/client", file), "utf8")),
    );
    expect(sources.filter((source) => source.includes("sourceMappingURL"))).toEqual([]);
  });

  test("says what is missing where there is no driver, and takes one by its path", async () => {
    const alone = join(folder, "alone");
    const heavy = /\/(@drover\/(driver|cli)|@duckdb|node-linux-[^/]*|\.bin)(\/|$)/;
    await cp(modules, join(alone, "node_modules"), { recursive: true, filter: (path) => !heavy.test(path) });
    await writeFile(
      join(alone, "ask.mjs"),
      `import { ensureDriver } from "@drover/client";
      await ensureDriver({ onEvent: (event) => event.type === "starting" && console.log(JSON.stringify(event.program)) }).then(
        (drover) => drover.close(),
        (error) => console.log(error.reason),
      );`,
    );
    const env = { DROVER_DATA_DIR: join(who.dataDir, "..", "alone") };
    const ask = (more = {}) => who.run([node, join(alone, "ask.mjs")], { env: { ...env, ...more } });
    expect(await ask()).toEqual({ code: 0, stdout: "DRIVER_PROGRAM_NOT_FOUND\n", stderr: "" });
    const program = join(modules, ".bin", "drover-driver");
    const { stdout } = await ask({ DROVER_DRIVER: program });
    expect(JSON.parse(stdout)).toEqual({ command: [program], origin: "DROVER_DRIVER", version: manifest.version });
    const { pid } = await addressOf({ ...who, dataDir: env.DROVER_DATA_DIR });
    await who.run([join(modules, ".bin", "drover"), "stop"], { env });
    await gone(pid);
  });

  test("has types that compile, all of them, and subpaths that load with the packages that they need", async () => {
    const typed = join(folder, "typed");
    await mkdir(typed);
    await writeFile(join(typed, "package.json"), JSON.stringify({ private: true, type: "module" }));
    const pinned = { ...manifest.dependencies, ...manifest.devDependencies };
    const peers = ["@connectrpc/connect", "@connectrpc/connect-node", "@connectrpc/connect-web", "apache-arrow"];
    const wanted = [...peers, "@types/node"].map((name) => `${name}@${pinned[name]}`);
    await tool("npm", ["install", ...quiet, packed.client, ...wanted], typed);
    const compilerOptions = {
      module: "nodenext",
      moduleResolution: "nodenext",
      target: "es2024",
      lib: ["es2024", "esnext.disposable", "dom"],
      types: ["node"],
      strict: true,
      skipLibCheck: false,
      outDir: "out",
    };
    await writeFile(join(typed, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["app.ts"] }));
    await writeFile(
      join(typed, "app.ts"),
      `import { connectNodeAdapter } from "@connectrpc/connect-node";
      import { avg, DroverError, dim, type EnsureDriverOptions, ensureDriver } from "@drover/client";
      import { createDroverClient, count } from "@drover/client/browser";
      import { droverRoutes } from "@drover/client/router";

      export async function answer(options: EnsureDriverOptions): Promise<number> {
        await using drover = await ensureDriver(options, { timeoutMs: 1000 });
        connectNodeAdapter({ routes: droverRoutes(drover, { authorize: () => ({ user: "ann" }) }) });
        const page = createDroverClient({ baseUrl: "/api" });
        for await (const event of page.query("sales", { dimensions: ["city"], measures: [count()] }))
          if (event.type === "frame") console.log(event.frame.rows.length);
        const table = await drover.query("sales", { dimensions: [dim("city")], measures: [avg("price")] }).table();
        // @ts-expect-error what is no dimension
        drover.query("sales", { dimensions: [5] });
        return table.numRows;
      }
      console.log(typeof answer, new DroverError({ reason: "UNREACHABLE", message: "x", code: 14 }).reason);
      `,
    );
    await tool(process.execPath, [join(repository, "node_modules", "typescript", "bin", "tsc"), "-p", "."], typed);
    expect(await tool(process.execPath, [join(typed, "out", "app.js")], typed)).toBe("function UNREACHABLE\n");
  });
});

async function filesOf(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(path, join(parentPath, name)));
}

/** A package with all that it depends on; npm has put each of them at the top. */
async function neededBy(name: string, found = new Set<string>()): Promise<ReadonlySet<string>> {
  if (found.has(name)) return found;
  found.add(name);
  const { dependencies = {} } = JSON.parse(await readFile(join(modules, name, "package.json"), "utf8"));
  for (const each of Object.keys(dependencies)) await neededBy(each, found);
  return found;
}
