import { access, chmod, constants, readdir, stat } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rowGroupRows } from "../../../../src/engine/duckdb/load/write-segments.ts";
import { CANCELLED, LIMITS, LoadLab } from "../../../helpers/load-engine.ts";

let lab: LoadLab;
let big: string;
const ROWS = 1_500_000;
beforeAll(async () => {
  lab = await LoadLab.open();
  big = `${lab.path}/big.csv`;
  await lab.query(
    `COPY (SELECT range AS id, 'name ' || (range % 1000) AS name, range / 8 AS v FROM range(${ROWS})) TO '${big}'`,
  );
});
afterAll(() => lab[Symbol.asyncDispose]());

describe("segments", () => {
  it("are cut at about a million rows, counted exactly, durable and read-only", async () => {
    const loaded = await lab.load(big);
    expect(loaded.rows).toBe(ROWS);
    expect(loaded.segments.length).toBeGreaterThan(1);
    for (const segment of loaded.segments) {
      const path = `${loaded.directory}/${segment.file}`;
      const state = await stat(path);
      expect(state.size).toBe(segment.bytes);
      expect(state.mode & 0o777).toBe(0o444);
      expect(await lab.query(`SELECT count(*) FROM '${path}'`)).toEqual([[String(segment.rows)]]);
      expect(segment.rows).toBeLessThan(1_300_000);
    }
    expect(await lab.query(`SELECT count(DISTINCT id), sum(id)::VARCHAR FROM '${loaded.directory}/*.parquet'`)).toEqual(
      [[String(ROWS), String((ROWS * (ROWS - 1)) / 2)]],
    );
  });

  it("are smaller where their limits are", async () => {
    const loaded = await lab.load(big, { limits: { ...LIMITS, maxRows: 100_000 } });
    expect(loaded.segments.length).toBeGreaterThan(5);
  });

  it("have row groups that fit into memory however wide rows are", () => {
    const size = { totalBytes: 0, rowBytes: 30, columns: 5 };
    expect(rowGroupRows(LIMITS, size)).toBe(122_880);
    expect(rowGroupRows(LIMITS, { ...size, rowBytes: 8_000, columns: 2_000 })).toBe(2_048);
    expect(rowGroupRows(LIMITS, { ...size, rowBytes: 2_000, columns: 100 }) % 2_048).toBe(0);
  });

  it("of 2,000 columns are written by the loader's share of a gigabyte", async () => {
    await using small = await LoadLab.open(320_000_000);
    const wide = `${small.path}/wide.csv`;
    const columns = Array.from({ length: 2_000 }, (_, at) => `range * ${at} AS c${at}`).join(", ");
    await small.query(`COPY (SELECT ${columns} FROM range(5000)) TO '${wide}'`);
    const loaded = await small.load(wide);
    expect(loaded).toMatchObject({ rows: 5_000, restarts: 0 });
    expect(loaded.columns).toHaveLength(2_000);
    const sum = await small.query(`SELECT sum(c1999)::VARCHAR FROM '${loaded.directory}/*.parquet'`);
    expect(sum).toEqual([[String(1_999 * ((5_000 * 4_999) / 2))]]);
  });
});

describe("progress", () => {
  it("grows, stays below what is read, and knows bytes and rows", async () => {
    const seen: { fraction: number | undefined; rows: number; bytes: number }[] = [];
    await lab.load(big, { onProgress: (progress) => seen.push(progress) });
    expect(seen.length).toBeGreaterThan(0);
    for (const [at, progress] of seen.entries()) {
      expect(progress.fraction ?? 0).toBeLessThanOrEqual(1);
      expect(progress.rows).toBeLessThanOrEqual(ROWS);
      expect(progress.bytes).toBeGreaterThanOrEqual(seen[at - 1]?.bytes ?? 0);
    }
  });
});

describe("cancel", () => {
  it.each(["at once", "in the middle"])("stops the engine and leaves nothing behind: %s", async (when) => {
    const controller = new AbortController();
    const directory = await lab.folder();
    const { scan } = await lab.engine.sniff(await lab.resolve(big), { signal: controller.signal });
    if (when === "at once") controller.abort(CANCELLED);
    const writing = lab.engine.writeSegments(scan, {
      signal: controller.signal,
      prefix: "segment-",
      directory,
      limits: LIMITS,
      onProgress: () => controller.abort(CANCELLED),
    });
    await expect(writing).rejects.toBe(CANCELLED);
    expect(lab.engine.active).toBe(0);
    expect(await readdir(directory)).toEqual([]);
    expect((await lab.loadText("a\n1\n")).rows).toBe(1);
  });
});

it("tells a disk that can't be written from a source that can't be read", async () => {
  const path = await lab.file("small.csv", "a\n1\n");
  const signal = new AbortController().signal;
  const { scan } = await lab.engine.sniff(await lab.resolve(path), { signal });
  await access(path, constants.R_OK);
  await chmod(path, 0o444);
  await expect(
    lab.engine.writeSegments(scan, { signal, directory: "/proc/none", prefix: "segment-", limits: LIMITS }),
  ).rejects.toMatchObject({
    name: "DriverError",
  });
  expect(lab.engine.active).toBe(0);
});
