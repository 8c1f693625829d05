import { setTimeout as delay } from "node:timers/promises";
import { tableFromIPC } from "apache-arrow";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DriverError } from "../../src/errors/driver-error.ts";
import { encodePageToken } from "../../src/operations/page-token.ts";
import type { QueryEvent } from "../../src/queries/events.ts";
import type { ListRowsRequest } from "../../src/queries/list-rows.ts";
import { EVERYTHING } from "../helpers/access.ts";
import { aggregate, type OpenedQueryService, openQueryService } from "../helpers/query-service.ts";

let opened: OpenedQueryService;
beforeAll(async () => {
  opened = await openQueryService({ maxAnswerBytes: 100_000, maxPageBytes: 20_000 });
  await opened.load(
    "flights",
    "SELECT range AS id, 'c' || range % 7 AS carrier, (range % 100) / 4 AS delay FROM range(1000)",
    300,
  );
  await opened.load("big", "SELECT range AS id, range % 1000 AS g, 'x' || range AS s FROM range(400000)");
});
afterAll(() => opened[Symbol.asyncDispose]());

const options = () => ({
  lane: "interactive" as const,
  labels: { page: "one" },
  requestedBy: "tester",
  access: EVERYTHING,
  caller: "tester",
  signal: new AbortController().signal,
});
const call = () => ({
  caller: "tester",
  requestedBy: "tester",
  access: EVERYTHING,
  signal: new AbortController().signal,
});

async function rejection(work: Promise<unknown>): Promise<DriverError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof DriverError)) throw new Error("no DriverError was thrown", { cause: error });
  return error;
}

async function collect(events: AsyncIterable<QueryEvent>): Promise<readonly QueryEvent[]> {
  const all: QueryEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

/** Nothing runs, waits or is held any more. */
function expectIdle(): void {
  expect(opened.engine.active).toBe(0);
  expect(opened.pool.status()).toMatchObject({ running: 0, queued: 0 });
}

const byCarrier = aggregate("flights", {
  dimensions: [{ column: "carrier" }],
  measures: [{ op: "count" }, { op: "avg", column: "delay" }],
});
/** Seconds of work. */
const heavy = {
  kind: "sql" as const,
  sql: "SELECT count(*) FROM big a, big b WHERE a.id * b.id % 7 = 1",
  parameters: [],
};

describe("run", () => {
  test("gives accepted, one exact frame of rows and completed, in this order", async () => {
    const events = await collect(
      opened.service.run(byCarrier, { ...options(), format: "rows", operationId: "q-rows" }),
    );
    const without = events.filter(({ type }) => type !== "progress");
    expect(without.map(({ type }) => type)).toEqual(["accepted", "frameStart", "frameBatch", "frameEnd", "completed"]);
    expect(without[0]).toEqual({ type: "accepted", operationId: "q-rows" });
    expect(without[1]).toMatchObject({ frameId: 1, exact: true });
    expect(without[2]).toMatchObject({ frameId: 1, seq: 1 });
    expect(without[3]).toMatchObject({ frameId: 1, rows: 7 });
    expect(without[4]).toMatchObject({
      completion: { rows: 7, rowsScanned: 1000, versions: { flights: 1 }, timings: { queuedMs: 0 } },
    });
    expectIdle();
  });

  test("gives an Arrow stream whose parts fit together", async () => {
    const events = await collect(opened.service.run(byCarrier, { ...options(), format: "arrow" }));
    const parts = events.flatMap((event) => {
      if (event.type === "frameStart") return [event.arrowSchema ?? new Uint8Array()];
      return event.type === "frameBatch" ? [event.arrow ?? new Uint8Array()] : [];
    });
    const table = tableFromIPC(Buffer.concat(parts));
    expect(table.schema.fields.map(({ name }) => name)).toEqual(["carrier", "count", "avg_delay"]);
    expect(table.numRows).toBe(7);
    expect(table.getChild("count")?.get(0)).toBe(143n);
  });

  test("keeps who asked, what and how it ended", async () => {
    await collect(opened.service.run(byCarrier, { ...options(), format: "rows", operationId: "q-kept" }));
    expect(opened.operations.get("q-kept")).toMatchObject({
      kind: "query",
      state: "succeeded",
      dataset: "flights",
      requestedBy: "tester",
      labels: { page: "one" },
      outcome: { rows: 7 },
    });
  });

  test("refuses an id that is taken", async () => {
    await collect(opened.service.run(byCarrier, { ...options(), format: "rows", operationId: "q-twice" }));
    const again = opened.service.run(byCarrier, { ...options(), format: "rows", operationId: "q-twice" });
    expect((await rejection(collect(again))).reason).toBe("OPERATION_EXISTS");
  });

  test("says where a query is wrong, and the operation has failed", async () => {
    const wrong = aggregate("flights", { measures: [{ op: "sum", column: "carrier" }] });
    const error = await rejection(
      collect(opened.service.run(wrong, { ...options(), format: "rows", operationId: "q-bad" })),
    );
    expect(error).toMatchObject({ reason: "INVALID_MEASURE", violations: [{ field: "measures[0].column" }] });
    expect(opened.operations.get("q-bad").state).toBe("failed");
    expectIdle();
  });

  test("a dataset that is not there fails with its name", async () => {
    const error = await rejection(
      collect(
        opened.service.run(aggregate("nowhere", { measures: [{ op: "count" }] }), { ...options(), format: "rows" }),
      ),
    );
    expect(error.reason).toBe("DATASET_NOT_FOUND");
    expectIdle();
  });

  test("leaving the loop cancels the query and stops the engine", async () => {
    for await (const event of opened.service.run(heavy, { ...options(), format: "rows", operationId: "q-left" }))
      if (event.type === "accepted") break;
    expect(opened.operations.get("q-left").state).toBe("cancelled");
    expectIdle();
  });

  test("progress comes while the engine computes, never goes back, and aborting ends it", async () => {
    const abort = new AbortController();
    const fractions: number[] = [];
    const run = async () => {
      const events = opened.service.run(heavy, { ...options(), signal: abort.signal, format: "rows" });
      for await (const event of events) {
        if (event.type !== "progress") continue;
        fractions.push(event.progress.fraction ?? 0);
        if (fractions.length === 3) abort.abort(new DriverError("CANCELLED", "enough"));
      }
    };
    expect((await rejection(run())).reason).toBe("CANCELLED");
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
    expectIdle();
  });

  test("an operation that is cancelled from outside ends a stream whose reader is slow", async () => {
    const events = opened.service
      .run(aggregate("big", { dimensions: [{ column: "s" }] }), { ...options(), format: "rows", operationId: "q-slow" })
      [Symbol.asyncIterator]();
    await events.next();
    await opened.operations.cancel("q-slow", new DriverError("CANCELLED", "by somebody"));
    const rest = async () => {
      while (!(await events.next()).done);
    };
    expect((await rejection(rest())).message).toBe("by somebody");
    expectIdle();
  });

  test("a reader that takes nothing holds the query up instead of filling memory", async () => {
    const events = opened.service
      .run(aggregate("big", { dimensions: [{ column: "s" }, { column: "id" }] }), {
        ...options(),
        format: "rows",
        operationId: "q-wait",
      })
      [Symbol.asyncIterator]();
    await events.next();
    await expect.poll(() => opened.operations.get("q-wait").state).toBe("running");
    await delay(300);
    expect(opened.operations.get("q-wait").state).toBe("running");
    await events.return?.();
    expectIdle();
  });

  test("queries wait for a place and say how long", async () => {
    await using narrow = await openQueryService({}, { places: 1 });
    await narrow.load("one", "SELECT 1 AS a");
    const question = aggregate("one", { measures: [{ op: "count" }] });
    const answers = await Promise.all([1, 2, 3].map(() => narrow.service.query(question, options())));
    expect(answers.map(({ rows }) => rows)).toEqual([[["1"]], [["1"]], [["1"]]]);
    expect(answers[2]?.completion.timings.queuedMs).toBeGreaterThan(0);
  });
});

describe("query", () => {
  test("gives the whole result with the operation's id", async () => {
    const answer = await opened.service.query(byCarrier, { ...options(), operationId: "q-unary" });
    expect(answer.operationId).toBe("q-unary");
    expect(answer.columns.map(({ name, type }) => `${name} ${type}`)).toEqual([
      "carrier VARCHAR",
      "count BIGINT",
      "avg_delay DOUBLE",
    ]);
    expect(answer.rows[0]).toEqual(["c0", "143", expect.closeTo(12.3619, 3)]);
  });

  test("refuses a result that is too large, and stops", async () => {
    const error = await rejection(opened.service.query(aggregate("big", { dimensions: [{ column: "s" }] }), options()));
    expect(error.reason).toBe("RESULT_TOO_LARGE");
    expectIdle();
  });

  test("answers SQL over several datasets and tells their versions", async () => {
    const answer = await opened.service.query(
      {
        kind: "sql",
        sql: "SELECT count(*) AS n FROM flights f JOIN big b USING (id) WHERE f.delay > $1",
        parameters: [20],
      },
      options(),
    );
    expect(answer.rows).toEqual([["190"]]);
    expect(answer.completion).toMatchObject({ versions: { flights: 1, big: 1 }, rowsScanned: 401_000 });
  });

  test("reads the version that is asked for", async () => {
    await opened.load("changing", "SELECT 1 AS a");
    await opened.load("changing", "SELECT 2 AS a");
    const question = (version: number) => aggregate("changing", { version, dimensions: [{ column: "a" }] });
    expect((await opened.service.query(question(1), options())).rows).toEqual([[1]]);
    expect((await opened.service.query(question(0), options())).rows).toEqual([[2]]);
    expect((await rejection(opened.service.query(question(9), options()))).reason).toBe("VERSION_NOT_FOUND");
  });
});

describe("explain", () => {
  test("gives plan, text, statement and columns without running anything or telling paths", async () => {
    const explained = await opened.service.explain(byCarrier, call());
    expect(explained.columns.map(({ name }) => name)).toEqual(["carrier", "count", "avg_delay"]);
    expect(explained.plan).toMatchObject({
      op: "sort",
      input: { op: "aggregate", input: { op: "scan", dataset: "flights" } },
    });
    expect(explained.text).toBe(
      "sort carrier\n  aggregate by carrier computing count() as count, avg(delay) as avg_delay\n    scan flights version 1 (carrier, delay)",
    );
    expect(explained.statement).toMatch(/^SELECT .* GROUP BY 1 ORDER BY 1 NULLS LAST$/);
    expect(explained.statement).not.toContain("parquet");
  });

  test("gives statement and columns of SQL", async () => {
    const explained = await opened.service.explain(
      { kind: "sql", sql: "SELECT carrier, sum(delay) AS d FROM flights GROUP BY ALL", parameters: [] },
      call(),
    );
    expect(explained.columns.map(({ name, type }) => `${name} ${type}`)).toEqual(["carrier VARCHAR", "d DOUBLE"]);
    expect(explained.statement).not.toContain("parquet");
  });
});

describe("listRows", () => {
  const request = { dataset: "flights", version: 0, columns: [], pageSize: 0, pageToken: "" };

  async function allRows(first: Omit<ListRowsRequest, "scopeHash">) {
    const rows: (readonly unknown[])[] = [];
    const sizes: number[] = [];
    for (let pageToken = "", pages = 0; pages === 0 || pageToken !== ""; pages += 1) {
      const page = await opened.service.listRows({ ...first, pageToken }, call());
      rows.push(...page.rows);
      sizes.push(page.rows.length);
      pageToken = page.nextPageToken;
    }
    return { rows, sizes };
  }

  test("pages through all rows once, over the ends of segments", async () => {
    const { rows, sizes } = await allRows({ ...request, pageSize: 170 });
    expect(sizes).toEqual([170, 170, 170, 170, 170, 150]);
    expect(rows.map(([id]) => Number(id))).toEqual(Array.from({ length: 1000 }, (_, id) => id));
  });

  test("a page has 100 rows unless said otherwise", async () => {
    const page = await opened.service.listRows(request, call());
    expect([page.rows.length, page.version]).toEqual([100, 1]);
    expect(page.columns.map(({ name }) => name)).toEqual(["id", "carrier", "delay"]);
  });

  test("pages filtered rows and wanted columns only", async () => {
    const filter = { kind: "compare", column: "delay", op: "equal", value: 0.25 } as const;
    const { rows, sizes } = await allRows({ ...request, columns: ["id"], filter, pageSize: 4 });
    expect(rows).toEqual([1, 101, 201, 301, 401, 501, 601, 701, 801, 901].map((id) => [String(id)]));
    expect(sizes).toEqual([4, 4, 2]);
  });

  test("cuts a page by bytes, but gives one row at least", async () => {
    await opened.load("long", "SELECT range AS id, repeat('x', 9000) AS s FROM range(5)");
    expect((await allRows({ ...request, dataset: "long" })).sizes).toEqual([2, 2, 1]);
    await opened.load("longer", "SELECT range AS id, repeat('x', 90000) AS s FROM range(2)");
    expect((await allRows({ ...request, dataset: "longer" })).sizes).toEqual([1, 1]);
  });

  test("keeps to the version of the first page", async () => {
    await opened.load("moving", "SELECT range AS id FROM range(10)");
    const first = await opened.service.listRows({ ...request, dataset: "moving", pageSize: 6 }, call());
    await opened.load("moving", "SELECT range + 100 AS id FROM range(10)");
    const token = { ...request, dataset: "moving", pageToken: first.nextPageToken };
    const second = await opened.service.listRows(token, call());
    expect([second.version, second.rows]).toEqual([1, [["6"], ["7"], ["8"], ["9"]]]);
  });

  test("refuses a token that was altered or is another request's", async () => {
    const { nextPageToken } = await opened.service.listRows(request, call());
    const tampered = `${nextPageToken.slice(0, -3)}${nextPageToken.endsWith("x") ? "y" : "x"}00`;
    for (const other of [
      { ...request, pageToken: tampered },
      { ...request, pageToken: "nonsense" },
      { ...request, columns: ["id"], pageToken: nextPageToken },
      { ...request, dataset: "big", pageToken: nextPageToken },
    ])
      expect((await rejection(opened.service.listRows(other, call()))).reason).toBe("INVALID_PAGE_TOKEN");
  });

  test("takes no place from a token that somebody has made himself which is none", async () => {
    const page = (position: unknown) => {
      const pageToken = encodePageToken(position, [
        "rows",
        request.dataset,
        request.version,
        request.columns,
        null,
        "",
      ]);
      return opened.service.listRows({ ...request, pageToken }, call());
    };
    const version = (await opened.service.listRows(request, call())).version;
    expect((await page({ version, segment: 0, row: 0 })).rows.length).toBeGreaterThan(0);
    const values = (position: unknown) => {
      const asked = { dataset: request.dataset, version: 0, column: "id", prefix: "", pageSize: 1 };
      const pageToken = encodePageToken(position, ["values", request.dataset, 0, "id", "", null, ""]);
      return opened.service.listValues({ ...asked, pageToken }, call());
    };
    expect((await values({ version, after: "0" })).values).toHaveLength(1);
    const wrong = [null, 5, {}, { version: "../1", skip: 0 }, { version, skip: -1 }, { version, skip: "1" }];
    for (const position of [...wrong, { version, segment: [" 0"], row: 0 }, { version, segment: -5, row: 0 }])
      expect((await rejection(page(position))).reason).toBe("INVALID_PAGE_TOKEN");
    for (const position of [...wrong, { version, after: 1 }])
      expect((await rejection(values(position))).reason).toBe("INVALID_PAGE_TOKEN");
  });

  test("works for columns that are called like the engine's own", async () => {
    await opened.load(
      "strange",
      "SELECT 9 - range AS file_row_number, 7 AS file_index, 'f' AS filename FROM range(10)",
      4,
    );
    const { rows } = await allRows({ ...request, dataset: "strange", pageSize: 3 });
    expect(rows.map(([id]) => Number(id))).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
  });

  test("an empty dataset has one empty page", async () => {
    await opened.load("none", "SELECT 1 AS a, 'b' AS b WHERE false");
    const page = await opened.service.listRows({ ...request, dataset: "none" }, call());
    expect([page.rows, page.nextPageToken, page.columns.length]).toEqual([[], "", 2]);
  });

  test("refuses unknown columns with the field", async () => {
    const error = await rejection(opened.service.listRows({ ...request, columns: ["id", "Carrier"] }, call()));
    expect(error).toMatchObject({ reason: "UNKNOWN_COLUMN", violations: [{ field: "columns[1]" }] });
    expect(error.message).toContain('did you mean "carrier"?');
  });
});

describe("listValues", () => {
  const request = { dataset: "flights", version: 0, column: "carrier", prefix: "", pageSize: 0, pageToken: "" };

  async function allValues(first: Parameters<typeof opened.service.listValues>[0]) {
    const values: unknown[] = [];
    for (let pageToken = "", pages = 0; pages === 0 || pageToken !== ""; pages += 1) {
      const page = await opened.service.listValues({ ...first, pageToken }, call());
      values.push(...page.values.map(({ value, count }) => [value, count]));
      pageToken = page.nextPageToken;
    }
    return values;
  }

  test("pages values in their order with counts", async () => {
    const values = await allValues({ ...request, pageSize: 3 });
    expect(values.slice(0, 2)).toEqual([
      ["c0", 143],
      ["c1", 143],
    ]);
    expect(values.length).toBe(7);
  });

  test("pages every type by its values, NULL last", async () => {
    await opened.load(
      "kinds",
      `SELECT range AS i, CASE WHEN range < 5 THEN range END AS n, ['NaN', '-Infinity', '0.1', '-0', NULL, '1e300'][range % 6 + 1]::DOUBLE AS x,
       (range / 7)::FLOAT AS f, (range / 100)::DECIMAL(38,20) AS e, DATE '0001-01-01' - range::INTEGER AS d, TIMESTAMPTZ '2024-01-01 00:00:00+00' + range * INTERVAL 1 MICROSECOND AS z,
       [range, NULL] AS l, 'ü''"\\' || range AS s, range % 2 = 0 AS b, ('a' || range)::BLOB AS y, INTERVAL 1 DAY * range AS v, TIME '10:00:00' + INTERVAL 1 SECOND * range AS t FROM range(12)`,
    );
    for (const column of ["i", "n", "x", "f", "e", "d", "z", "l", "s", "b", "y", "v", "t"]) {
      const whole = await allValues({ ...request, dataset: "kinds", column, pageSize: 10_000 });
      const paged = await allValues({ ...request, dataset: "kinds", column, pageSize: 1 });
      expect([column, paged]).toEqual([column, whole]);
      expect(whole.length).toBeGreaterThan(1);
    }
  });

  test("finds a prefix whatever the case, over a filter, of numbers too", async () => {
    const filter = { kind: "range", column: "id", to: 100, fromExclusive: false, toExclusive: false } as const;
    expect(await allValues({ ...request, prefix: "C1", filter })).toEqual([["c1", 15]]);
    expect((await allValues({ ...request, column: "id", prefix: "99", pageSize: 4 })).length).toBe(11);
    expect(await allValues({ ...request, prefix: "%" })).toEqual([]);
  });
});

describe("statistics", () => {
  const request = { dataset: "flights", version: 0, columns: [] };

  test("describes all columns in one scan", async () => {
    const { rows, columns, version } = await opened.service.statistics(request, call());
    expect([rows, version]).toEqual([1000, 1]);
    const [id, carrier, delays] = columns;
    expect(id).toMatchObject({ nullCount: 0, min: "0", max: "999", mean: 499.5 });
    expect(carrier).toMatchObject({ min: "c0", max: "c6", quartiles: [] });
    expect(carrier).not.toHaveProperty("mean");
    expect(delays?.quartiles.map(Math.round)).toEqual([6, 12, 19]);
    expect(Math.abs((id?.approximateDistinctCount ?? 0) - 1000)).toBeLessThan(400);
  });

  test("describes NaN, NULL, lists, 38 digits and nothing", async () => {
    await opened.load(
      "odd",
      "SELECT ['NaN', '1', NULL][range % 3 + 1]::DOUBLE AS x, [range] AS l, '99999999999999999999999999999999999999'::DECIMAL(38,0) AS e, NULL::INTEGER AS n FROM range(9)",
    );
    const { columns } = await opened.service.statistics({ ...request, dataset: "odd" }, call());
    expect(columns[0]).toMatchObject({ nullCount: 3, min: 1, max: "NaN", mean: Number.NaN, stddev: Number.NaN });
    expect(columns[0]?.quartiles).toEqual([1, 1, 1]);
    expect(columns[1]).not.toHaveProperty("min");
    expect(columns[2]).toMatchObject({ max: "99999999999999999999999999999999999999", mean: 1e38 });
    expect(columns[3]).toMatchObject({ nullCount: 9, approximateDistinctCount: 0, quartiles: [] });
    expect(columns[3]).not.toHaveProperty("min");
  });

  test("describes 600 columns", async () => {
    const list = Array.from({ length: 600 }, (_, index) => `range + ${index} AS c${index}`).join(", ");
    await opened.load("wide", `SELECT ${list} FROM range(10)`);
    const { columns } = await opened.service.statistics({ ...request, dataset: "wide" }, call());
    expect(columns.map(({ min }) => min)).toEqual(Array.from({ length: 600 }, (_, index) => String(index)));
  });
});
