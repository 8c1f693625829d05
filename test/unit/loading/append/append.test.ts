import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { DriverError } from "../../../../src/errors/driver-error.ts";
import { flush } from "../../../../src/loading/append/flush.ts";
import type { AppendPart } from "../../../../src/loading/append/model.ts";
import { DEFAULT_SEGMENT_LIMITS } from "../../../../src/loading/service.ts";
import { createPool } from "../../../../src/scheduling/pool.ts";
import { append, appendRequest, END, json } from "../../../helpers/appending.ts";
import { sendSignal } from "../../../helpers/driver-processes.ts";
import { type LoadBench, openLoadBench } from "../../../helpers/load-service.ts";

// Each of these starts workers and loads; a busy machine takes its time.
vi.setConfig({ testTimeout: 240_000 });

let bench: LoadBench;
let ab: string;

beforeAll(async () => {
  bench = await openLoadBench();
  ab = join(bench.path, "ab.csv");
  await writeFile(ab, "a,b\n1,x\n2,y\n");
});
afterAll(() => bench[Symbol.asyncDispose]());

async function load(dataset: string, uri = ab): Promise<void> {
  const ended = await bench.end((await bench.start(dataset, uri)).operation.id);
  expect(ended.state).toBe("succeeded");
}

async function rowsOf(dataset: string): Promise<unknown> {
  return bench.query(dataset, `SELECT * FROM "${dataset}" ORDER BY ALL`);
}

async function failure(promise: Promise<unknown>): Promise<DriverError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DriverError);
  return error as DriverError;
}

/** Nothing stays of what was staged. Small segments may still be merged, also those of other tests. */
async function nothingStaged(): Promise<void> {
  await expect.poll(() => bench.staged()).toEqual([]);
}

/** A stream that goes on when it is told to. */
class Stream {
  readonly #parts: AppendPart[] = [];
  #wake: (() => void) | undefined;
  #over = false;

  send(...parts: readonly AppendPart[]): void {
    this.#parts.push(...parts);
    this.#wake?.();
  }

  cut(): void {
    this.#over = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<AppendPart, void, undefined> {
    for (;;) {
      const part = this.#parts.shift();
      if (part !== undefined) yield part;
      else if (this.#over) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}

async function durable(dataset: string, id: string, rows: number): Promise<void> {
  await expect.poll(async () => (await bench.appends.status(dataset, id)).rows).toBe(rows);
}

describe("appended rows", () => {
  it("are in a new version, beside the segments of the one before", async () => {
    await load("plain");
    const request = appendRequest("plain", { labels: { from: "test" } });
    const status = await append(bench, request, [json({ a: 3, b: "z" }, { b: "only b" }), END]);
    expect(status).toEqual({ id: request.id, dataset: "plain", rows: 2, version: 2 });
    expect(await rowsOf("plain")).toEqual([
      ["1", "x"],
      ["2", "y"],
      ["3", "z"],
      [null, "only b"],
    ]);
    const { current, labels } = bench.datasets.get("plain");
    expect(labels).toEqual({});
    expect(current).toMatchObject({
      rows: 4,
      lineage: { format: "csv", uri: ab, extends: 1, appended: { id: request.id, rows: 2 } },
    });
    expect(current.segments.map(({ file, rows }) => [file, rows])).toEqual([
      ["v1-segment-0-0.parquet", 2],
      [expect.stringMatching(/^segment-/), 2],
    ]);
    const [operation] = bench.operations.list({ ...ANY, kinds: ["append"], dataset: "plain" }).operations;
    expect(operation).toMatchObject({
      state: "succeeded",
      labels: { from: "test" },
      configuration: { append: request.id, format: "json", offset: 0 },
      outcome: { rows: 2, version: 2, appended: 2 },
    });
  });

  it("are there while their stream goes on, and none of another one's", async () => {
    await load("live");
    const request = appendRequest("live", { names: ["a"] });
    const stream = new Stream();
    const done = append(bench, request, stream);
    stream.send(json([10], [11]));
    await durable("live", request.id, 2);
    await using before = await bench.datasets.pin("live", 0, { signal: new AbortController().signal });
    stream.send(json([12]));
    await durable("live", request.id, 3);
    expect(before.manifest.rows).toBe(4);
    expect(bench.datasets.get("live").current.rows).toBe(5);
    stream.send(END);
    expect(await done).toMatchObject({ rows: 3, version: 3 });
  });

  it("make a dataset where its columns are given", async () => {
    const types = {
      bool: "BOOLEAN",
      tiny: "TINYINT",
      big: "BIGINT",
      unsigned: "UBIGINT",
      real: "FLOAT",
      double: "DOUBLE",
      price: "DECIMAL(38,4)",
      text: "VARCHAR",
      day: "DATE",
      time: "TIME",
      at: "TIMESTAMP",
      nano: "TIMESTAMP_NS",
      instant: "TIMESTAMP WITH TIME ZONE",
      id: "UUID",
    };
    const create = Object.entries(types).map(([name, type]) => ({ name, type }));
    const row = {
      bool: true,
      tiny: -128,
      big: "-9223372036854775808",
      unsigned: "18446744073709551615",
      real: 0.1,
      double: "-Infinity",
      price: "1234567890123456789012345678901234.5678",
      text: "a\nb",
      day: "2024-02-29",
      time: "23:59:59.999999",
      at: "2024-02-29T12:34:56.789",
      nano: "2024-02-29T12:34:56.123456789",
      instant: "2024-02-29T12:34:56Z",
      id: "00112233-4455-6677-8899-aabbccddeeff",
    };
    const request = appendRequest("made", { create, labels: { team: "x" } });
    await append(bench, request, [json(row, {}), END]);
    expect(await bench.query("made", "SELECT * FROM made ORDER BY big NULLS LAST")).toEqual([
      Object.values(row),
      Object.values(row).map(() => null),
    ]);
    const { current, labels } = bench.datasets.get("made");
    expect(current.columns.map(({ type }) => type)).toEqual(Object.values(types));
    expect(labels).toEqual({ team: "x" });
    expect(current.lineage).toMatchObject({ format: "append", readTime: expect.any(String) });
  });

  it("are refused where there is no dataset and no columns for one, or a type that there is not", async () => {
    const request = appendRequest("nowhere");
    expect(await failure(append(bench, request, [json({ a: 1 }), END]))).toMatchObject({ reason: "DATASET_NOT_FOUND" });
    const create = [{ name: "a", type: "BIGINT); DROP" }];
    const made = append(bench, { ...request, create }, [json({ a: 1 }), END]);
    expect(await failure(made)).toMatchObject({ reason: "INVALID_REQUEST" });
    expect(bench.datasets.resolve("nowhere")).toBeUndefined();
  });

  it("of a stream without any change nothing", async () => {
    await load("nothing");
    expect(await append(bench, appendRequest("nothing"), [END])).toMatchObject({ rows: 0, version: 1 });
  });
});

const ANY = { pageSize: 100, pageToken: "", kinds: [], states: [], labels: {}, dataset: "" } as const;

describe("a value that does not fit", () => {
  it.each([
    [{ a: "1.5" }, "a", "1.5"],
    [{ a: 2 ** 63 }, "a", "9223372036854776000"],
    [{ a: true }, "a", "true"],
  ])("fails its flush as a whole, and keeps those before: %j", async (bad, column, value) => {
    const dataset = `misfit ${value}`;
    await load(dataset);
    const request = appendRequest(dataset);
    const stream = new Stream();
    const done = failure(append(bench, request, stream));
    stream.send(json({ a: 3, b: "line\nend" }));
    await durable(dataset, request.id, 1);
    stream.send(json({ a: 4, b: "line\nend" }, bad, { a: 5 }), END);
    expect(await done).toMatchObject({
      reason: "LOAD_TYPE_MISMATCH",
      message: `row 3, column "${column}": "${value}" is no BIGINT`,
      metadata: { row: "3", column, value, append: request.id, durableRows: "1" },
    });
    expect(bench.datasets.get(dataset).current.rows).toBe(3);
    await nothingStaged();
  });

  it("ends a stream that is waiting for its client", async () => {
    await load("waiting");
    const stream = new Stream();
    const done = failure(append(bench, appendRequest("waiting"), stream));
    stream.send(json({ z: 1 }));
    expect(await done).toMatchObject({ reason: "UNKNOWN_COLUMN", metadata: { column: "z", durableRows: "0" } });
  });
});

describe("an append's id", () => {
  it("goes on where it has stopped, and nowhere else", async () => {
    await load("steps");
    const request = appendRequest("steps", { names: ["a"] });
    const stream = new Stream();
    const cut = failure(append(bench, request, stream));
    stream.send(json([10], [11]));
    await durable("steps", request.id, 2);
    stream.send(json([12]));
    stream.cut();
    expect(await cut).toMatchObject({ reason: "CANCELLED", metadata: { durableRows: "2" } });
    for (const offset of [0, 1, 3])
      expect(await failure(append(bench, { ...request, offset }, [json([99]), END]))).toMatchObject({
        reason: "APPEND_OUT_OF_STEP",
        metadata: { durableRows: "2" },
      });
    expect(await append(bench, { ...request, offset: 2 }, [json([12], [13]), END])).toMatchObject({ rows: 4 });
    expect(await bench.query("steps", "SELECT a FROM steps WHERE a > 9 ORDER BY a")).toEqual([
      ["10"],
      ["11"],
      ["12"],
      ["13"],
    ]);
    // A load replaces the rows; the append is still known.
    await load("steps");
    expect(await bench.appends.status("steps", request.id)).toMatchObject({ rows: 4, version: 4 });
    expect(await bench.appends.status("steps", "constructor")).toMatchObject({ rows: 0 });
  });

  it("belongs to the stream that came last", async () => {
    await load("taken");
    const request = appendRequest("taken", { names: ["a"] });
    const first = new Stream();
    const replaced = failure(append(bench, request, first));
    first.send(json([10]));
    await durable("taken", request.id, 1);
    first.send(json([11]));
    const second = append(bench, { ...request, offset: 1 }, [json([11], [12]), END]);
    expect(await replaced).toMatchObject({ reason: "APPEND_OUT_OF_STEP" });
    expect(await second).toMatchObject({ rows: 3 });
    expect(bench.datasets.get("taken").current.rows).toBe(5);
  });
});

describe("several streams into one dataset", () => {
  it("all land, whoever is faster", async () => {
    await load("many");
    const streams = Array.from({ length: 6 }, (_, stream) => {
      const parts = Array.from({ length: 40 }, (_, part) => json([(stream + 1) * 1_000 + part]));
      return append(bench, appendRequest("many", { names: ["a"] }), slowly([...parts, END]));
    });
    for (const status of await Promise.all(streams)) expect(status.rows).toBe(40);
    expect(await bench.query("many", "SELECT count(*)::INTEGER, count(DISTINCT a)::INTEGER FROM many")).toEqual([
      [242, 242],
    ]);
  });

  it("make one dataset where there was none", async () => {
    const create = [{ name: "a", type: "INTEGER" }];
    const streams = [1, 2, 3].map((a) => append(bench, appendRequest("races", { create }), [json({ a }), END]));
    await Promise.all(streams);
    expect(await rowsOf("races")).toEqual([[1], [2], [3]]);
  });
});

async function* slowly(parts: readonly AppendPart[]): AsyncGenerator<AppendPart> {
  for (const part of parts) {
    yield part;
    await setTimeout(10);
  }
}

describe("while rows are appended", () => {
  it("a load replaces the dataset with those that are there; what follows is added to the new version", async () => {
    await load("replaced");
    const request = appendRequest("replaced", { names: ["a"] });
    const stream = new Stream();
    const done = append(bench, request, stream);
    stream.send(json([10]));
    await durable("replaced", request.id, 1);
    await load("replaced");
    stream.send(json([11]), END);
    expect(await done).toMatchObject({ rows: 2 });
    expect(await rowsOf("replaced")).toEqual([
      ["1", "x"],
      ["2", "y"],
      ["11", null],
    ]);
  });

  it("a load may bring other columns, which the rows that follow must have", async () => {
    await load("altered");
    const other = join(bench.path, "other.csv");
    await writeFile(other, "c\n1\n");
    const request = appendRequest("altered");
    const stream = new Stream();
    const done = failure(append(bench, request, stream));
    stream.send(json({ a: 10 }));
    await durable("altered", request.id, 1);
    await load("altered", other);
    stream.send(json({ a: 11 }), END);
    expect(await done).toMatchObject({ reason: "UNKNOWN_COLUMN", metadata: { column: "a", durableRows: "1" } });
    expect(await rowsOf("altered")).toEqual([["1"]]);
  });

  it("a load that changes types just before they are published has them written anew", async () => {
    await load("overtaken");
    const other = join(bench.path, "types.csv");
    await writeFile(other, "a,b\n1.5,x\n");
    const { datasets, workers, operations } = bench;
    let publishing = 0;
    const overtaken = {
      pin: datasets.pin.bind(datasets),
      stage: async (...args: Parameters<typeof datasets.stage>) => {
        const staged = await datasets.stage(...args);
        const publish = async (...content: Parameters<typeof staged.publish>) => {
          if (publishing++ === 0) await load("overtaken", other);
          return staged.publish(...content);
        };
        return { ...staged, publish };
      },
    } as unknown as typeof datasets;
    const pool = createPool({ name: "loaders", size: 1, maxQueued: 1 });
    const parts = { datasets: overtaken, workers, operations, pool, limits: DEFAULT_SEGMENT_LIMITS, onEvent() {} };
    const batch = { chunks: [Buffer.from('{"a":2}\n')], bytes: 8, written() {} };
    const { signal } = new AbortController();
    const flushed = await flush(parts, appendRequest("overtaken"), batch, 0, { signal, operationId: "flush" });
    expect([publishing, flushed.rows]).toEqual([2, 1]);
    expect(await rowsOf("overtaken")).toEqual([
      [1.5, "x"],
      [2, null],
    ]);
    await nothingStaged();
  });

  it("the dataset can be deleted, which ends the stream", async () => {
    await load("deleted");
    const request = appendRequest("deleted");
    const stream = new Stream();
    const done = failure(append(bench, request, stream));
    stream.send(json({ a: 10 }));
    await durable("deleted", request.id, 1);
    await bench.datasets.delete("deleted");
    stream.send(json({ a: 11 }), END);
    expect(await done).toMatchObject({ reason: "DATASET_NOT_FOUND" });
    expect(bench.datasets.resolve("deleted")).toBeUndefined();
    await nothingStaged();
  });

  it("workers may be killed again and again, and no row is lost or doubled", async () => {
    await load("killed");
    const request = appendRequest("killed", { names: ["a"] });
    const total = 300;
    let left = 8;
    const kills = setInterval(() => {
      const pids = bench.workerPids();
      const pid = pids[Math.floor(Math.random() * pids.length)];
      if (pid === undefined || left-- <= 0) return;
      sendSignal(pid, "SIGKILL");
    }, 200);
    try {
      for (let offset = 0; offset < total; ) {
        const parts = Array.from({ length: total - offset }, (_, at) => json([10 + offset + at]));
        const ended = await append(bench, { ...request, offset }, slowly([...parts, END])).catch(
          (error: DriverError) => {
            expect(error.reason).toMatch(/^WORKER/);
            return { rows: Number(error.metadata.durableRows) };
          },
        );
        offset = ended.rows;
      }
    } finally {
      clearInterval(kills);
    }
    const sql = "SELECT count(*)::INTEGER, count(DISTINCT a)::INTEGER, max(a)::INTEGER FROM killed";
    expect(await bench.query("killed", sql)).toEqual([[total + 2, total + 2, 9 + total]]);
    await nothingStaged();
  });
});

describe("a stream that is stopped", () => {
  it.each([
    ["by its deadline", new DriverError("DEADLINE_EXCEEDED", "late")],
    ["by its client", new DriverError("CANCELLED", "gone")],
  ])("%s keeps what is durable, and leaves nothing else", async (how, reason) => {
    const dataset = `stopped ${how}`;
    await load(dataset);
    const request = appendRequest(dataset);
    const stop = new AbortController();
    const stream = new Stream();
    const done = failure(append(bench, request, stream, stop.signal));
    stream.send(json({ a: 10 }));
    await durable(dataset, request.id, 1);
    stream.send(json({ a: 11 }));
    stop.abort(reason);
    expect(await done).toMatchObject({ reason: reason.reason });
    expect(bench.datasets.get(dataset).current.rows).toBe(3);
    await nothingStaged();
    const [operation] = bench.operations.list({ ...ANY, kinds: ["append"], dataset }).operations;
    expect(operation).toMatchObject({ state: "cancelled", error: { reason: reason.reason } });
  });

  it("by the quota says how much is durable", async () => {
    await using tight = await openLoadBench({ quotaBytes: 400_000 });
    const create = [{ name: "a", type: "VARCHAR" }];
    const text = () => Array.from({ length: 500 }, () => [Math.random().toString(36).repeat(10)]);
    const request = appendRequest("quota", { create, names: ["a"] });
    const parts = async function* () {
      yield json(...text());
      // What has room is there before there is too much.
      await expect.poll(() => tight.datasets.resolve("quota")).toBe("quota");
      for (let part = 0; part < 100; part++) {
        yield json(...text());
        await setTimeout(50);
      }
      yield END;
    };
    const error = await failure(append(tight, request, parts()));
    expect(error.reason).toBe("QUOTA_EXCEEDED");
    const rows = Number(error.metadata.durableRows);
    expect(rows).toBeGreaterThan(0);
    expect(tight.datasets.get("quota").current.rows).toBe(rows);
  });
});
