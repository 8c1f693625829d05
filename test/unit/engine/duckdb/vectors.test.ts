import { DuckDBDataChunk, type DuckDBType, INTEGER, LIST, listValue, VARCHAR } from "@duckdb/node-api";
import duckdb from "@duckdb/node-bindings";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CopiedBatch } from "../../../../src/engine/duckdb/results/result-batch.ts";
import { layoutOf } from "../../../../src/engine/duckdb/vectors/layout.ts";
import { readChunk } from "../../../../src/engine/duckdb/vectors/read-vector.ts";
import { type EngineUnderTest, engineUnderTest, readAll } from "../../../helpers/read-engine.ts";

let subject: EngineUnderTest;

beforeAll(async () => {
  subject = await engineUnderTest();
});

afterAll(async () => {
  await subject[Symbol.asyncDispose]();
});

// Around 12 bytes the engine changes from texts within the vector to texts behind pointers.
const text = fc.oneof(
  fc.string({ maxLength: 11, unit: "binary" }),
  fc.string({ minLength: 12, maxLength: 40, unit: "binary" }),
  fc.constantFrom("", "twelve bytes", "thirteen byte", "🚄".repeat(20)),
);
const nullable = <T>(value: fc.Arbitrary<T>) => fc.option(value, { freq: 4 });
const record = fc.record({
  s: nullable(text),
  i: nullable(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String)),
  l: nullable(fc.array(nullable(text), { maxLength: 5 })),
  t: nullable(fc.record({ a: nullable(text), b: nullable(fc.array(nullable(fc.integer()), { maxLength: 3 })) })),
});
const STRUCTURE = '[{"s":"VARCHAR","i":"BIGINT","l":["VARCHAR"],"t":{"a":"VARCHAR","b":["INTEGER"]}}]';

test("random texts, numbers, lists and structs arrive as they are, however batches are cut", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(record, { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 1, max: 120 }),
      fc.integer({ min: 100, max: 100_000 }),
      async (records, times, maxBatchBytes) => {
        const question = `SELECT r.s, r.i, r.l, r.t FROM (SELECT unnest(from_json($1::JSON, '${STRUCTURE}')) AS r, range AS n FROM range($2))`;
        const { rows, table } = await readAll(subject.engine, question, {
          parameters: [JSON.stringify(records), times],
          maxBatchBytes,
        });
        const once = records.map(({ s, i, l, t }) => [s, i, l, t]);
        const expected = Array.from({ length: times }, () => once).flat();
        expect(rows).toEqual(expected);
        expect(table.toArray().map(plain)).toEqual(expected);
      },
    ),
    { numRuns: 60 },
  );
});

/** A row of apache-arrow as the JSON form has it. */
function plain(row: { readonly [name: string]: unknown } | null): unknown[] {
  const { s, i, l, t } = JSON.parse(
    JSON.stringify(row, (_, value) => (typeof value === "bigint" ? String(value) : value)),
  );
  return [s, i, l, t];
}

test("lists that don't lie in their order are put in order", () => {
  const chunk = chunkOf([LIST(VARCHAR), LIST(LIST(INTEGER))], 3, [
    [listValue(["first, long enough for a pointer", "b"]), null, listValue([null, "third, long enough for a pointer"])],
    [listValue([listValue([1, 2]), null]), listValue([]), listValue([listValue([3])])],
  ]);
  // Swap what the first and the third row point at.
  for (const column of [0, 1]) {
    const vector = duckdb.data_chunk_get_vector(chunk.chunk, column);
    const entries = Uint8Array.from(duckdb.vector_get_data(vector, 48));
    const swapped = Uint8Array.from([...entries.subarray(32), ...entries.subarray(16, 32), ...entries.subarray(0, 16)]);
    duckdb.copy_data_to_vector(vector, 0, swapped.buffer, 0, 48);
  }
  const types = [LIST(VARCHAR), LIST(LIST(INTEGER))];
  expect(rowsOf(chunk, types)).toEqual([
    [[null, "third, long enough for a pointer"], [[3]]],
    [null, []],
    [
      ["first, long enough for a pointer", "b"],
      [[1, 2], null],
    ],
  ]);
});

function chunkOf(
  types: readonly DuckDBType[],
  rows: number,
  columns: Parameters<DuckDBDataChunk["setColumns"]>[0],
): DuckDBDataChunk {
  const chunk = DuckDBDataChunk.create(types, rows);
  chunk.setColumns(columns);
  return chunk;
}

function rowsOf(chunk: DuckDBDataChunk, types: readonly DuckDBType[]): readonly unknown[] {
  const columns = readChunk(chunk.chunk, types.map(layoutOf));
  return new CopiedBatch([{ columns, from: 0, to: chunk.rowCount }], types).toRows();
}
