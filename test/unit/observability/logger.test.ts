import { execFileSync, spawn } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DriverError } from "../../../src/errors/driver-error.ts";
import { Logger, type LogLevel } from "../../../src/observability/logger.ts";

let folder: string;
let file: string;
let descriptor: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "drover-log-"));
  file = join(folder, "log");
  descriptor = openSync(file, "a");
});

afterEach(() => {
  closeSync(descriptor);
  rmSync(folder, { recursive: true, force: true });
});

function logger(level: LogLevel = "info", format: "json" | "text" = "json"): Logger {
  return new Logger({ level, format, descriptor });
}

function lines(): string[] {
  return readFileSync(file, "utf8").split("\n").slice(0, -1);
}

test("a line is an object with time, level, message and fields", () => {
  logger().info("serving", { address: "127.0.0.1:1", rows: 12n, nothing: undefined });
  const [line = ""] = lines();
  expect(JSON.parse(line)).toEqual({
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    level: "info",
    message: "serving",
    address: "127.0.0.1:1",
    rows: "12",
  });
});

test("an error is written with its reason, its stack and what caused it", () => {
  const error = new DriverError("INTERNAL", "outer", { cause: new Error("inner") });
  logger().error("failed", { error });
  const [line = ""] = lines();
  expect(JSON.parse(line).error).toMatchObject({
    reason: "INTERNAL",
    message: "outer",
    stack: expect.stringContaining("logger.test"),
    cause: { message: "inner" },
  });
});

test("lines below the level are left out", () => {
  const log = logger("warn");
  log.info("no");
  log.warn("yes");
  expect(lines()).toHaveLength(1);
  expect(log.enabled("info")).toBe(false);
  expect(logger("silent").enabled("error")).toBe(false);
});

test("lines keep their order, whatever waits, and are there before anything else can end the process", () => {
  const log = logger();
  for (let index = 0; index < 1000; index++) log.info(String(index));
  expect(lines().map((line) => JSON.parse(line).message)).toEqual(Array.from({ length: 1000 }, (_, i) => String(i)));
});

test("what nobody reads holds nobody up, is dropped beyond a bound, and counted", async () => {
  using pipe = openPipe();
  const log = new Logger({ level: "info", format: "json", descriptor: pipe.writer });
  for (let index = 0; index < 50; index++) log.info("x".repeat(100_000), { index });
  let text = "";
  // The logger tries again in its own time.
  const seen = (part: string) =>
    expect.poll(() => (text += pipe.read()), { timeout: 30_000, interval: 5 }).toContain(part);
  await seen("were dropped");
  log.info("after");
  await seen('"after"}\n');
  const written = text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
  const kept = written.filter(({ index }) => index !== undefined);
  expect(kept.map(({ index }) => index)).toEqual(Array.from(kept, (_, index) => index));
  expect(written.slice(kept.length)).toMatchObject([{ dropped: 50 - kept.length }, { message: "after" }]);
});

test("a terminal that nobody reads holds nobody up", async () => {
  const [program, done] = [join(folder, "program.mjs"), join(folder, "done")];
  writeFileSync(
    program,
    `import { writeFileSync } from "node:fs";
    import { Logger } from ${JSON.stringify(join(import.meta.dirname, "../../../src/observability/logger.ts"))};
    const log = new Logger({ level: "info", format: "json" });
    for (let index = 0; index < 300; index++) log.info("x".repeat(10_000));
    writeFileSync(${JSON.stringify(done)}, String(process.stderr.isTTY));`,
  );
  // Its terminal is read no more once this pipe is full.
  const command = ["-qec", `'${process.execPath}' '${program}'`, "/dev/null"];
  const terminal = spawn("script", command, { stdio: ["ignore", "pipe", "inherit"] });
  try {
    await expect.poll(() => readFileSync(done, { encoding: "utf8", flag: "a+" })).toBe("true");
  } finally {
    terminal.kill("SIGKILL");
  }
});

test("text for people has the fields behind the message", () => {
  logger("info", "text").info("serving", { address: "a:1", rows: 3 });
  expect(lines()[0]).toMatch(/ INFO {2}serving address=a:1 rows=3$/);
});

interface Pipe extends Disposable {
  readonly writer: number;
  /** What is in the pipe now. */
  read(): string;
}

function openPipe(): Pipe {
  const path = join(folder, "pipe");
  execFileSync("mkfifo", [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  const chunk = Buffer.alloc(1_000_000);
  return {
    writer,
    read() {
      try {
        return chunk.toString("utf8", 0, readSync(reader, chunk));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EAGAIN") return "";
        throw error;
      }
    },
    [Symbol.dispose]() {
      closeSync(writer);
      closeSync(reader);
    },
  };
}
