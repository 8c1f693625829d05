import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SegmentInfo } from "../../../../src/engine/file-scan.ts";
import type { IncrementRule, StoredRows } from "../../../../src/engine/increment.ts";
import { LIMITS, LoadLab } from "../../../helpers/load-engine.ts";
import { Random } from "../../../soak/random.ts";

const { signal } = new AbortController();

let lab: LoadLab;
let instance: DuckDBInstance;
let folders = 0;

beforeAll(async () => {
  lab = await LoadLab.open();
  instance = await DuckDBInstance.create(":memory:");
});

afterAll(async () => {
  instance.closeSync();
  await lab[Symbol.asyncDispose]();
});

async function rowsOf(sql: string): Promise<readonly (readonly unknown[])[]> {
  const connection = await instance.connect();
  try {
    return (await connection.runAndReadAll(sql)).getRowsJson();
  } finally {
    connection.closeSync();
  }
}

async function newFolder(): Promise<string> {
  const folder = join(lab.path, `increment-${++folders}`);
  await mkdir(folder);
  return folder;
}

const COLUMNS: StoredRows["columns"] = [
  { name: "id", type: "INTEGER", kind: "integer" },
  { name: "part", type: "VARCHAR", kind: "text" },
  { name: "filename", type: "BIGINT", kind: "integer" },
  { name: "value", type: "DOUBLE", kind: "float" },
];

/** `filename` is the watermark: a name that engines like to give a column of their own. */
interface Row {
  readonly id: number | null;
  readonly part: string | null;
  readonly filename: number | null;
  readonly value: number;
}

const WATERMARK = "filename";

/** Writes rows as segments of at most so many. */
async function store(rows: readonly Row[], perSegment: number, folder: string, prefix: string): Promise<StoredRows> {
  const connection = await instance.connect();
  const segments: SegmentInfo[] = [];
  try {
    for (let at = 0; at < rows.length; at += perSegment) {
      const some = rows.slice(at, at + perSegment);
      const file = `${prefix}${segments.length}.parquet`;
      const list = some.map(
        ({ id, part, filename, value }) => `(${id}, ${part === null ? "NULL" : `'${part}'`}, ${filename}, ${value})`,
      );
      const types = COLUMNS.map(({ name, type }) => `CAST("${name}" AS ${type}) AS "${name}"`).join(", ");
      const names = COLUMNS.map(({ name }) => `"${name}"`).join(", ");
      const path = join(folder, file);
      await connection.run(
        `COPY (SELECT ${types} FROM (VALUES ${list.join(", ")}) AS t(${names})) TO '${path}' (FORMAT parquet)`,
      );
      segments.push({ file, rows: some.length, bytes: 1_000 });
    }
  } finally {
    connection.closeSync();
  }
  return { columns: COLUMNS, segments, paths: segments.map(({ file }) => join(folder, file)) };
}

async function load({ paths }: StoredRows): Promise<Row[]> {
  if (paths.length === 0) return [];
  const list = paths.map((path) => `'${path}'`).join(", ");
  const rows = await rowsOf(`SELECT id, part, "filename", value FROM read_parquet([${list}])`);
  return rows.map(([id, part, filename, value]) => ({
    id: id === null ? null : Number(id),
    part: part === null ? null : String(part),
    filename: filename === null ? null : Number(filename),
    value: Number(value),
  }));
}

const text = (row: Row) => JSON.stringify([row.id, row.part, row.filename, row.value]);
const sorted = (rows: readonly Row[]) => rows.map(text).sort();
const keyOf = (row: Row, { keys }: IncrementRule) => JSON.stringify(keys.map((key) => row[key as keyof Row]));

/** One refresh by the engine; answers the version after it, and whether anything has changed. */
async function refresh(base: StoredRows, source: readonly Row[], rule: IncrementRule, random: Random) {
  const from = await lab.engine.startOfIncrement(rule, base, { signal });
  if (from === undefined) return { from, changed: true, after: await store(source, 7, await newFolder(), "full-") };
  const folder = await newFolder();
  // Sources may give more than the window that they were asked for.
  const given = source.filter((row) => (row.filename ?? -1) >= Number(from) || random.chance(0.1));
  const fresh = await store(given, 5, folder, "fresh-");
  const place = { signal, directory: folder, prefix: "merged-", limits: LIMITS };
  const merged = await lab.engine.mergeIncrement({ rule, from, base, fresh }, place);
  if (!merged.changed) return { from, changed: false, after: base };
  const kept = base.paths.filter((_, index) => merged.kept.includes(base.segments[index] as SegmentInfo));
  const written = merged.written.map(({ file }) => join(folder, file));
  expect((await readdir(folder)).sort()).toEqual(merged.written.map(({ file }) => file).sort());
  const after = {
    columns: COLUMNS,
    segments: [...merged.kept, ...merged.written],
    paths: [...kept, ...written],
  };
  expect(await load(after)).toHaveLength(after.segments.reduce((sum, { rows }) => sum + rows, 0));
  return { from, changed: true, after };
}

/** What the rule says, row by row. */
function expected(old: readonly Row[], source: readonly Row[], rule: IncrementRule): readonly Row[] {
  const seen = old.flatMap(({ filename }) => (filename === null ? [] : [filename]));
  if (seen.length === 0) return source;
  const overlap = rule.overlap !== undefined && "amount" in rule.overlap ? Math.ceil(rule.overlap.amount) : 0;
  const from = Math.max(...seen) - overlap;
  const isNew = ({ filename }: Row) => filename !== null && filename >= from;
  const fresh = source.filter(isNew);
  if (rule.keys.length === 0) return [...old.filter((row) => !isNew(row)), ...fresh];
  const keys = new Set(fresh.map((row) => keyOf(row, rule)));
  return [...old.filter((row) => !keys.has(keyOf(row, rule))), ...fresh];
}

describe("increments over generated histories", () => {
  const seed = Number(process.env.DROVER_TEST_SEED ?? Date.now() % 1_000_000);
  const histories = 6;
  const steps = 5;

  it.each([
    ["with a key", { watermark: WATERMARK, keys: ["id"] }],
    ["with two keys, NULL among them", { watermark: WATERMARK, keys: ["id", "part"], overlap: { amount: 3 } }],
    ["without keys", { watermark: WATERMARK, keys: [] }],
    ["without keys, with an overlap", { watermark: WATERMARK, keys: [], overlap: { amount: 2.5 } }],
  ] as const)(`do what the rule says, %s (seed ${seed})`, async (_, rule: IncrementRule) => {
    const random = new Random(seed);
    for (let history = 0; history < histories; history++) {
      let source: Row[] = [];
      let base: StoredRows = { columns: COLUMNS, segments: [], paths: [] };
      for (let step = 0; step < steps; step++) {
        source = changed(source, step * 4, random, rule);
        const old = await load(base);
        const wanted = expected(old, source, rule);
        const { from, after, changed: isChanged } = await refresh(base, source, rule, random);
        expect(sorted(await load(after)), `history ${history}, step ${step}`).toEqual(sorted(wanted));
        const same = JSON.stringify(sorted(old)) === JSON.stringify(sorted(wanted));
        if (from !== undefined) expect(isChanged, `history ${history}, step ${step}`).toBe(!same);
        base = after;
      }
    }
  });

  it(`hold what the source holds, where nothing is deleted and nothing is later than the overlap (seed ${seed})`, async () => {
    const random = new Random(seed + 1);
    for (const rule of [
      { watermark: WATERMARK, keys: ["id"], overlap: { amount: 2 } },
      { watermark: WATERMARK, keys: [], overlap: { amount: 2 } },
    ] satisfies IncrementRule[]) {
      let source: Row[] = [];
      let base: StoredRows = { columns: COLUMNS, segments: [], paths: [] };
      for (let now = 2; now < 40; now += 1 + random.below(4)) {
        // Rows arrive up to two ticks late; with keys they also change, and then their watermark is new.
        const late = () => now - random.below(3);
        const fresh = Array.from({ length: random.below(6) }, (_, index) => ({
          ...{ id: now * 100 + index, part: null, filename: late(), value: random.below(100) },
        }));
        const update = (row: Row) =>
          rule.keys.length > 0 && random.chance(0.2) ? { ...row, filename: now, value: random.below(100) } : row;
        source = [...source.map(update), ...fresh];
        ({ after: base } = await refresh(base, source, rule, random));
        expect(sorted(await load(base)), `keys ${rule.keys}, at ${now}`).toEqual(sorted(source));
      }
    }
  });
});

/** Inserts, updates, deletes, ties, NULLs and late rows. Keys stay unique. */
function changed(before: readonly Row[], now: number, random: Random, rule: IncrementRule): Row[] {
  const rows = before.flatMap((row): Row[] => {
    if (random.chance(0.1)) return [];
    return random.chance(0.2) ? [{ ...row, filename: watermark(now, random), value: random.below(5) }] : [row];
  });
  const inserts = random.chance(0.2) ? 0 : random.below(8);
  for (let index = 0; index < inserts; index++) {
    rows.push({
      id: random.chance(0.05) ? null : random.below(30),
      part: random.pick([null, "a", "b"]),
      filename: watermark(now, random),
      value: random.below(5),
    });
  }
  if (rule.keys.length === 0) return rows;
  return [...new Map(rows.map((row) => [keyOf(row, rule), row])).values()];
}

function watermark(now: number, random: Random): number | null {
  return random.chance(0.15) ? null : Math.max(0, now + random.below(5) - random.below(4));
}

describe("an increment", () => {
  const random = () => new Random(1);
  const row = (id: number | null, filename: number | null, value = 0): Row => ({ id, part: null, filename, value });
  const keyed: IncrementRule = { watermark: WATERMARK, keys: ["id"] };

  it("leaves segments alone that hold no replaced rows", async () => {
    const folder = await newFolder();
    const base = await store([row(1, 1), row(2, 2), row(3, 3), row(4, 4)], 2, folder, "base-");
    const { after } = await refresh(base, [row(3, 5), row(4, 4)], keyed, random());
    expect(after.segments.map(({ file, rows }) => [file, rows])).toEqual([
      ["base-0.parquet", 2],
      ["fresh-0.parquet", 2],
    ]);
    const again = await refresh(base, [row(4, 4), row(5, 5)], keyed, random());
    expect(again.after.segments.map(({ file, rows }) => [file, rows])).toEqual([
      ["base-0.parquet", 2],
      ["merged-rest-0.parquet", 1],
      ["fresh-0.parquet", 2],
    ]);
  });

  it("is no change where the source gives the same rows again, whatever their order", async () => {
    const base = await store([row(1, 1), row(2, 5), row(3, 5), row(3, 5)], 3, await newFolder(), "base-");
    const rule = { watermark: WATERMARK, keys: [] };
    const same = await refresh(base, [row(3, 5), row(2, 5), row(3, 5)], rule, random());
    expect(same.changed).toBe(false);
    // As many rows, but others.
    const other = await refresh(base, [row(3, 5), row(2, 5), row(2, 5)], rule, random());
    expect(other.changed).toBe(true);
  });

  it("empties its window where the source has nothing there any more and there are no keys", async () => {
    const base = await store([row(1, 1), row(2, 5)], 3, await newFolder(), "base-");
    const { after } = await refresh(base, [], { watermark: WATERMARK, keys: [] }, random());
    expect(await load(after)).toEqual([row(1, 1)]);
    expect((await refresh(base, [], keyed, random())).changed).toBe(false);
  });

  it("is refused where it holds a key twice, and says which", async () => {
    const base = await store([row(1, 1)], 3, await newFolder(), "base-");
    await expect(refresh(base, [row(7, 2), row(7, 3)], keyed, random())).rejects.toMatchObject({
      reason: "DUPLICATE_KEY",
      message: "the source has several rows with id=7",
    });
    await expect(refresh(base, [row(null, 2), row(null, 3)], keyed, random())).rejects.toMatchObject({
      reason: "DUPLICATE_KEY",
    });
  });

  it("makes one segment of many small ones", async () => {
    let base = await store([row(0, 0)], 1, await newFolder(), "base-");
    let source = [row(0, 0)];
    for (let now = 1; now <= 20; now++) {
      source = [...source, row(now, now)];
      ({ after: base } = await refresh(base, source, keyed, random()));
      expect(base.segments.length).toBeLessThanOrEqual(18);
    }
    expect(sorted(await load(base))).toEqual(sorted(source));
    expect(base.segments.length).toBeLessThan(10);
  });
});

describe("a window", () => {
  it.each([
    ["BIGINT", "9007199254740993", undefined, "9007199254740993"],
    ["INTEGER", "10", { amount: 2.5 }, "7"],
    ["UTINYINT", "3", { amount: 10 }, undefined],
    ["DECIMAL(18,3)", "1.250", { amount: 0.1001 }, "1.149"],
    ["DECIMAL(38,0)", "99999999999999999999999999999999999999", undefined, "99999999999999999999999999999999999999"],
    ["DOUBLE", "1.5", { amount: 0.25 }, "1.25"],
    ["DATE", "2024-03-01", undefined, "2024-03-01"],
    ["DATE", "2024-03-01", { ms: 86_400_000 }, "2024-02-29"],
    ["DATE", "2024-03-01", { ms: 1 }, "2024-02-29"],
    ["TIMESTAMP", "2024-03-01 00:00:00.000001", { ms: 1_000 }, "2024-02-29 23:59:59.000001"],
    ["TIMESTAMP_NS", "2024-03-01 00:00:00.123456789", undefined, "2024-03-01 00:00:00.123455"],
    ["TIMESTAMP WITH TIME ZONE", "2024-03-01 01:00:00+01", { ms: 60_000 }, "2024-02-29 23:59:00+00"],
  ] as const)("of a %s that has come to %s begins %j before it at %s", async (type, value, overlap, from) => {
    const path = join(await newFolder(), "one.parquet");
    await rowsOf(`COPY (SELECT CAST('${value}' AS ${type}) AS w) TO '${path}' (FORMAT parquet)`);
    const kinds = { DATE: "date", DOUBLE: "float", TIMESTAMP: "timestamp", TIMESTAMP_NS: "timestamp" } as const;
    const kind =
      type in kinds
        ? kinds[type as keyof typeof kinds]
        : type.startsWith("TIMESTAMP")
          ? "timestampTz"
          : type.startsWith("DECIMAL")
            ? "decimal"
            : "integer";
    const base = {
      columns: [{ name: "w", type, kind } as const],
      segments: [{ file: "one.parquet", rows: 1, bytes: 1 }],
    };
    const rule = { watermark: "w", keys: [], ...(overlap && { overlap }) };
    expect(await lab.engine.startOfIncrement(rule, { ...base, paths: [path] }, { signal })).toBe(from);
  });

  it("does not count infinities and NaN, which lie beyond every window", async () => {
    const folder = await newFolder();
    const [days, numbers] = [join(folder, "days.parquet"), join(folder, "numbers.parquet")];
    await rowsOf(`COPY (SELECT unnest(['infinity'::DATE, '2024-01-01']) AS w) TO '${days}' (FORMAT parquet)`);
    await rowsOf(`COPY (SELECT unnest(['NaN'::DOUBLE, 'inf', 2.5]) AS w) TO '${numbers}' (FORMAT parquet)`);
    const start = (type: string, kind: "date" | "float", path: string) =>
      lab.engine.startOfIncrement(
        { watermark: "w", keys: [] },
        { columns: [{ name: "w", type, kind }], segments: [{ file: "x", rows: 2, bytes: 1 }], paths: [path] },
        { signal },
      );
    expect(await start("DATE", "date", days)).toBe("2024-01-01");
    expect(await start("DOUBLE", "float", numbers)).toBe("2.5");
  });
});
