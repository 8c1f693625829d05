import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";

const source = fileURLToPath(new URL("../../../src/observability/log-rotation.ts", import.meta.url));

/** Runs a program whose stderr is appended to the log. */
async function run(log: string, program: string): Promise<number | null> {
  const descriptor = openSync(log, "a");
  const code = `import { rotateLog } from ${JSON.stringify(source)}; ${program}`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], {
    stdio: ["ignore", "ignore", descriptor],
  });
  closeSync(descriptor);
  return new Promise((resolve) => child.once("exit", resolve));
}

test("a log that grew too large is put aside, and goes on from its beginning", async () => {
  await using folder = await temporaryFolder();
  const log = join(folder.path, "x.log");
  const ended = await run(
    log,
    `
    import { existsSync, statSync } from "node:fs";
    import { setTimeout as delay } from "node:timers/promises";
    const file = ${JSON.stringify(log)};
    process.stderr.write("first\\n".repeat(1000));
    using _ = rotateLog({ file, maxBytes: 5000, intervalMs: 5, onError: (error) => { throw error; } });
    while (!existsSync(file + ".1") || statSync(file).size > 0) await delay(1);
    process.stderr.write("second\\n");
    await delay(50);
    `,
  );
  expect(ended).toBe(0);
  expect(readFileSync(`${log}.1`, "utf8")).toBe("first\n".repeat(1000));
  expect(readFileSync(log, "utf8")).toBe("second\n");
  expect(existsSync(`${log}.1.tmp`)).toBe(false);
});

test.each([
  ["the limit is off", 0],
  ["stderr goes elsewhere", 1],
])("a log is never cut when %s", async (_, maxBytes) => {
  await using folder = await temporaryFolder();
  const log = join(folder.path, "x.log");
  const elsewhere = join(folder.path, "y.log");
  const ended = await run(
    maxBytes === 0 ? log : elsewhere,
    `
    import { writeFileSync } from "node:fs";
    import { setTimeout as delay } from "node:timers/promises";
    const file = ${JSON.stringify(log)};
    writeFileSync(file, "kept", { flag: "a" });
    using _ = rotateLog({ file, maxBytes: ${maxBytes}, intervalMs: 1, onError: (error) => { throw error; } });
    await delay(100);
    `,
  );
  expect(ended).toBe(0);
  expect(readFileSync(log, "utf8")).toBe("kept");
  expect(existsSync(`${log}.1`)).toBe(false);
});

test("a log that can't be put aside stays whole and is told of", async () => {
  await using folder = await temporaryFolder();
  const log = join(folder.path, "x.log");
  const ended = await run(
    log,
    `
    import { mkdirSync } from "node:fs";
    const file = ${JSON.stringify(log)};
    mkdirSync(file + ".1");
    process.stderr.write("kept");
    const { code } = await new Promise((onError) => {
      globalThis.rotation = rotateLog({ file, maxBytes: 1, intervalMs: 1, onError });
      // The rotation alone keeps no process alive.
      setTimeout(() => {}, 20_000);
    });
    process.exit(code === "EISDIR" ? 0 : 1);
    `,
  );
  expect(ended).toBe(0);
  expect(statSync(log).size).toBe(4);
});
