import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
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

async function lines(count: number): Promise<string[]> {
  // What follows the last line break is still being written.
  const read = () => readFileSync(file, "utf8").split("\n").slice(0, -1);
  await expect.poll(() => read().length, { timeout: 20_000 }).toBeGreaterThanOrEqual(count);
  return read();
}

test("a line is an object with time, level, message and fields", async () => {
  logger().info("serving", { address: "127.0.0.1:1", rows: 12n, nothing: undefined });
  const [line = ""] = await lines(1);
  expect(JSON.parse(line)).toEqual({
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    level: "info",
    message: "serving",
    address: "127.0.0.1:1",
    rows: "12",
  });
});

test("an error is written with its reason, its stack and what caused it", async () => {
  const error = new DriverError("INTERNAL", "outer", { cause: new Error("inner") });
  logger().error("failed", { error });
  const [line = ""] = await lines(1);
  expect(JSON.parse(line).error).toMatchObject({
    reason: "INTERNAL",
    message: "outer",
    stack: expect.stringContaining("logger.test"),
    cause: { message: "inner" },
  });
});

test("lines below the level are left out", async () => {
  const log = logger("warn");
  log.info("no");
  log.warn("yes");
  expect(await lines(1)).toHaveLength(1);
  expect(log.enabled("info")).toBe(false);
  expect(logger("silent").enabled("error")).toBe(false);
});

test("lines keep their order, whatever waits", async () => {
  const log = logger();
  for (let index = 0; index < 1000; index++) log.info(String(index));
  log.flush();
  expect((await lines(1000)).map((line) => JSON.parse(line).message)).toEqual(
    Array.from({ length: 1000 }, (_, i) => String(i)),
  );
});

test("what nobody reads is dropped beyond a bound, and counted", async () => {
  const log = logger();
  const text = "x".repeat(100_000);
  for (let index = 0; index < 50; index++) log.info(text);
  await lines(2);
  log.info("after");
  log.flush();
  const written = await lines(3);
  expect(written.length).toBeLessThan(50);
  expect(written.some((line) => Number(JSON.parse(line).dropped) > 0)).toBe(true);
});

test("text for people has the fields behind the message", async () => {
  logger("info", "text").info("serving", { address: "a:1", rows: 3 });
  expect((await lines(1))[0]).toMatch(/ INFO {2}serving address=a:1 rows=3$/);
});
