import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DriverError } from "../../../src/errors/driver-error.ts";
import type { ExportEvent, ExportLayout, ExportService } from "../../../src/queries/export/model.ts";
import { createExportService } from "../../../src/queries/export/service.ts";
import { EVERYTHING } from "../../helpers/access.ts";
import { type OpenedQueryService, openQueryService } from "../../helpers/query-service.ts";

let opened: OpenedQueryService;
let exports: ExportService;
let directory: string;
let isFull = false;

beforeAll(async () => {
  opened = await openQueryService();
  directory = join(opened.folder, "exports");
  await mkdir(directory);
  const { engine, datasets, operations, pool } = opened;
  exports = createExportService({
    ...{ engine, datasets, operations, pool, directory },
    watchSpace: (signal) => {
      const full = new AbortController();
      if (isFull) setTimeout(() => full.abort(new DriverError("DISK_FULL", "the disk is full")), 20);
      return { signal: AbortSignal.any([signal, full.signal]), [Symbol.dispose]: () => undefined };
    },
  });
  await opened.load("numbers", "SELECT range AS n, 'text ' || hash(range) AS t FROM range(100000)");
  await opened.load("none", "SELECT 1 AS n, 'x' AS t WHERE false");
  await opened.load("scalars", "SELECT unnest([1.5::DOUBLE, 0::DOUBLE]) AS f, unnest([true, NULL]) AS b");
  await opened.load("zero", "SELECT '-0'::DOUBLE AS z");
  const wide = Array.from({ length: 1_500 }, (_, column) => `range + ${column} AS c${column}`).join(", ");
  await opened.load("wide", `SELECT ${wide} FROM range(300)`);
});

afterAll(() => opened[Symbol.asyncDispose]());

function run(dataset: string, layout: ExportLayout, signal = new AbortController().signal): AsyncIterable<ExportEvent> {
  const subject = { kind: "dataset", dataset, version: 0, columns: [], limit: 0 } as const;
  return exports.run(
    { subject, layout, labels: {} },
    { requestedBy: "test", access: EVERYTHING, caller: "test", signal },
  );
}

async function whole(dataset: string, layout: ExportLayout): Promise<{ bytes: Buffer; events: ExportEvent[] }> {
  const events: ExportEvent[] = [];
  for await (const event of run(dataset, layout)) if (event.type !== "progress") events.push(event);
  const data = events.flatMap((event) => (event.type === "data" ? [event.data] : []));
  return { bytes: Buffer.concat(data), events };
}

describe("an export", () => {
  it("goes from accepted to completed, in pieces of bounded size", async () => {
    const { bytes, events } = await whole("numbers", { format: "csv" });
    expect(bytes.toString().split("\n")).toHaveLength(100_002);
    expect(events.slice(0, 2).map(({ type }) => type)).toEqual(["accepted", "begun"]);
    expect(events.at(-1)).toEqual({
      type: "completed",
      completion: { rows: 100_000, bytes: bytes.length, versions: { numbers: 1 } },
    });
    const sizes = events.flatMap((event) => (event.type === "data" ? [event.data.length] : []));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(512 * 1024);
    expect(Math.min(...sizes.slice(0, -1))).toBeGreaterThanOrEqual(128 * 1024);
  });

  it("of no rows is a file like any other", async () => {
    expect((await whole("none", { format: "csv" })).bytes.toString()).toBe("n,t\n");
    expect((await whole("none", { format: "json" })).bytes.toString()).toBe("[]\n");
    expect((await whole("none", { format: "jsonl" })).bytes.toString()).toBe("");
    expect((await whole("none", { format: "xml" })).bytes.toString()).toContain("</rows>");
    expect((await whole("none", { format: "parquet" })).bytes.subarray(0, 4).toString()).toBe("PAR1");
  });

  it.each([
    [{ format: "csv", delimiter: "." }, 'f.b\n"1.5".true\n0.\n'],
    [{ format: "csv", delimiter: "t" }, 'f,b\n1.5,"true"\n0,\n'.replaceAll(",", "t")],
    [{ format: "csv", nullText: "0" }, 'f,b\n1.5,true\n"0",0\n'],
    [{ format: "tsv", nullText: "true" }, 'f\tb\n1.5\t"true"\n0\ttrue\n'],
    [{ format: "csv", nullText: "NULL" }, "f,b\n1.5,true\n0,NULL\n"],
  ] as const)("keeps values apart from delimiters and from NULL: %j", async (layout, text) => {
    expect((await whole("scalars", layout)).bytes.toString()).toBe(text);
  });

  it("is refused a text for NULL that holds the usual delimiter", async () => {
    for (const layout of [{ format: "csv", nullText: "a,b" } as const, { format: "tsv", nullText: "\t" } as const])
      await expect(whole("none", layout)).rejects.toMatchObject({ reason: "INVALID_REQUEST" });
  });

  it("as XML tells a negative zero", async () => {
    expect((await whole("zero", { format: "xml" })).bytes.toString()).toContain("<z>-0</z>");
  });

  it("of 1,500 columns is one", async () => {
    expect((await whole("wide", { format: "parquet" })).events.at(-1)).toMatchObject({ completion: { rows: 300 } });
    expect((await whole("wide", { format: "tsv" })).bytes.toString().split("\n")[300]?.split("\t")).toHaveLength(1_500);
  });

  it("ends before the disk is full, and leaves no file behind", async () => {
    isFull = true;
    try {
      const sql = "SELECT a.n, b.t FROM numbers a, numbers b";
      const question = { kind: "sql", sql, parameters: [] } as const;
      const request = { subject: { kind: "question", question }, layout: { format: "parquet" }, labels: {} } as const;
      const { signal } = new AbortController();
      const reading = (async () => {
        for await (const _ of exports.run(request, {
          requestedBy: "test",
          access: EVERYTHING,
          caller: "test",
          signal,
        }));
      })();
      await expect(reading).rejects.toMatchObject({ reason: "DISK_FULL" });
      expect(await readdir(directory)).toEqual([]);
      expect(opened.engine.active).toBe(0);
      expect(opened.pool.status()).toMatchObject({ running: 0, queued: 0 });
    } finally {
      isFull = false;
    }
  });

  it.each(["csv", "arrow", "parquet"] as const)(
    "as %s that is left or aborted at any event stops, and holds nothing",
    async (format) => {
      // Of several pieces.
      const layout: ExportLayout = { format, ...(format === "parquet" && { compression: "none" }) };
      for (const type of ["accepted", "begun", "data"] as const) {
        for (const way of ["leave", "abort"] as const) {
          const controller = new AbortController();
          const left = (async () => {
            for await (const event of run("numbers", layout, controller.signal)) {
              if (event.type !== type) continue;
              if (way === "leave") break;
              controller.abort(new DriverError("CANCELLED", "enough"));
            }
          })();
          if (way === "abort") await expect(left).rejects.toMatchObject({ reason: "CANCELLED" });
          else await left;
          expect([type, way, opened.engine.active, opened.pool.status().running]).toEqual([type, way, 0, 0]);
          expect(await readdir(directory)).toEqual([]);
        }
      }
    },
  );
});
