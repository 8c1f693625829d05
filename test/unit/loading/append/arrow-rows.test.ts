import {
  Bool,
  DateDay,
  Decimal,
  Dictionary,
  Field,
  Float32,
  Float64,
  Int32,
  Int64,
  List,
  makeData,
  Struct,
  Table,
  TimestampMicrosecond,
  tableFromArrays,
  tableToIPC,
  Utf8,
  Vector,
  vectorFromArray,
} from "apache-arrow";
import { describe, expect, it } from "vitest";
import type { Column, TypeKind } from "../../../../src/engine/types.ts";
import { readArrowMessages } from "../../../../src/loading/append/arrow-messages.ts";
import { createRowBuffer } from "../../../../src/loading/append/row-buffer.ts";
import { encodeArrowRows } from "../../../../src/loading/worker/append/arrow-rows.ts";
import { rowColumn } from "../../../../src/loading/worker/append/row-shape.ts";

function column(name: string, type: string, kind: TypeKind = "other"): Column {
  return { name, type, kind };
}

function encode(table: Table, columns: readonly Column[], firstRow = 1): readonly string[] {
  const { text, rows } = encodeArrowRows(tableToIPC(table, "stream"), { columns: columns.map(rowColumn), firstRow });
  const lines = Buffer.from(text).toString().split("\n");
  expect(lines).toHaveLength(rows + 1);
  return lines.slice(0, -1);
}

describe("Arrow rows", () => {
  it("become text without loss", () => {
    const table = new Table({
      i: vectorFromArray([1n, null, -(2n ** 63n)], new Int64()),
      f: vectorFromArray([0.1, 1e300, null], new Float64()),
      g: vectorFromArray([Math.fround(0.1), 16_777_216, -0.5], new Float32()),
      t: vectorFromArray(["x", 'say "hi", ok', ""], new Utf8()),
      b: vectorFromArray([true, false, null], new Bool()),
      d: vectorFromArray([new Date("2024-02-29"), new Date("1969-12-31"), null], new DateDay()),
      k: vectorFromArray(["one", "two", "one"], new Dictionary(new Utf8(), new Int32())),
      l: vectorFromArray([[1, 2], [], null], new List(new Field("item", new Int32()))),
    });
    const kinds: Readonly<Record<string, TypeKind>> = { l: "nested" };
    const columns = table.schema.fields.map(({ name }) => column(name, "X", kinds[name]));
    expect(encode(table, columns)).toEqual([
      '1,0.1,0.1,x,true,2024-02-29,one,"[""1"",""2""]"',
      ',1e+300,16777216,"say ""hi"", ok",false,1969-12-31,two,[]',
      '-9223372036854775808,,-0.5,"",,,one,',
    ]);
  });

  it("keep microseconds, also before 1970, and instants their zone", () => {
    const micros = new BigInt64Array([1_700_000_000_123_456n, -1n, 0n]);
    const vector = (timezone?: string) =>
      new Vector([
        makeData({ type: new TimestampMicrosecond(timezone), data: micros.slice(), length: 3, nullCount: 0 }),
      ]);
    const table = new Table({ local: vector(), instant: vector("UTC") });
    expect(encode(table, [column("local", "TIMESTAMP"), column("instant", "TIMESTAMP WITH TIME ZONE")])).toEqual([
      "2023-11-14 22:13:20.123456,2023-11-14 22:13:20.123456+00",
      "1969-12-31 23:59:59.999999,1969-12-31 23:59:59.999999+00",
      "1970-01-01 00:00:00,1970-01-01 00:00:00+00",
    ]);
  });

  it("keep infinite dates and times, and those beyond the language's own", () => {
    const days = [2 ** 31 - 1, -(2 ** 31 - 1), 107_000_000, -120_000_000];
    const d = makeData({ type: new DateDay(), data: Int32Array.from(days) });
    const micros = [2n ** 63n - 1n, -(2n ** 63n - 1n), 9_223_286_400_000_000_000n, 1n];
    const s = makeData({ type: new TimestampMicrosecond("UTC"), data: BigInt64Array.from(micros) });
    const table = new Table({ d: new Vector([d]), s: new Vector([s]) });
    expect(encode(table, [column("d", "DATE"), column("s", "TIMESTAMP WITH TIME ZONE")])).toEqual([
      "infinity,infinity",
      "-infinity,-infinity",
      "294926-01-19,294244-04-24 00:00:00+00",
      "326580-02-28 (BC),1970-01-01 00:00:00.000001+00",
    ]);
  });

  it("whose texts are not UTF-8 are refused", () => {
    const valueOffsets = Int32Array.from([0, 2]);
    const t = makeData({ type: new Utf8(), valueOffsets, data: Uint8Array.from([0x61, 0xff]), length: 1 });
    expect(() => encode(new Table({ t: new Vector([t]) }), [column("t", "VARCHAR")])).toThrow(
      expect.objectContaining({ reason: "MALFORMED_ARROW" }),
    );
  });

  it("keep decimals with their sign and scale, and refuse digits that would be rounded off", () => {
    const words = new Uint32Array([12_345, 0, 0, 0, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff]);
    const table = new Table({ p: new Vector([makeData({ type: new Decimal(3, 20, 128), data: words })]) });
    expect(encode(table, [column("p", "DECIMAL(20,3)")])).toEqual(["12.345", "-0.001"]);
    expect(() => encode(table, [column("p", "DECIMAL(20,2)")], 11)).toThrow(
      expect.objectContaining({ reason: "LOAD_TYPE_MISMATCH", metadata: expect.objectContaining({ row: "11" }) }),
    );
  });

  it("go to columns by name; those that are left out are NULL", () => {
    const table = tableFromArrays({ b: Int32Array.of(1, 2) });
    expect(encode(table, [column("a", "INTEGER"), column("b", "INTEGER")])).toEqual([",1", ",2"]);
    expect(() => encode(table, [column("a", "INTEGER")])).toThrow(
      expect.objectContaining({ reason: "UNKNOWN_COLUMN" }),
    );
  });

  it("of a type that has no text are refused", () => {
    const struct = new Struct([new Field("x", new Int32())]);
    const table = new Table({ s: vectorFromArray([{ x: 1 }], struct) });
    expect(() => encode(table, [column("s", "BIGINT")])).toThrow(
      expect.objectContaining({ reason: "MALFORMED_ARROW", metadata: expect.objectContaining({ column: "s" }) }),
    );
  });
});

describe("messages of an Arrow stream", () => {
  const words = vectorFromArray(["one", "two", "one"], new Dictionary(new Utf8(), new Int32()));
  const table = new Table({ k: words, n: vectorFromArray([1, 2, 3], new Int32()) });
  const stream = tableToIPC(table, "stream");

  it("are found with their kinds, whatever follows the last one", () => {
    const kinds = readArrowMessages(stream).map(({ kind }) => kind);
    expect(kinds).toEqual(["schema", "dictionary", "recordBatch"]);
  });

  it("that are not whole are refused, wherever they are cut", () => {
    const whole = readArrowMessages(stream).reduce((sum, { bytes }) => sum + bytes.length, 0);
    for (let size = 1; size < whole; size++) {
      const ends = [
        0,
        ...readArrowMessages(stream).map(({ bytes }) => bytes.byteOffset - stream.byteOffset + bytes.length),
      ];
      if (ends.includes(size)) continue;
      expect(() => readArrowMessages(stream.subarray(0, size)), String(size)).toThrow(
        expect.objectContaining({ reason: "MALFORMED_ARROW" }),
      );
    }
  });

  it("make flushes that can each be read by themselves", () => {
    const buffer = createRowBuffer("arrow");
    const messages = readArrowMessages(stream);
    const columns = [rowColumn(column("k", "VARCHAR")), rowColumn(column("n", "INTEGER"))];
    for (const { bytes } of messages) buffer.add(bytes);
    for (let flush = 0; flush < 3; flush++) {
      const { chunks } = buffer.take();
      const { rows } = encodeArrowRows(Buffer.concat(chunks), { columns, firstRow: 1 });
      expect(rows).toBe(3);
      buffer.add(messages[2]?.bytes ?? Buffer.alloc(0));
    }
  });

  it("count as what is buffered, dictionaries between batches too", () => {
    const buffer = createRowBuffer("arrow");
    const messages = readArrowMessages(stream);
    for (const { bytes } of messages) buffer.add(bytes);
    const before = buffer.bytes;
    buffer.add(messages[1]?.bytes ?? Buffer.alloc(0));
    expect(buffer.bytes).toBe(before + (messages[1]?.bytes.length ?? 0));
  });

  it("that begin with rows are refused", () => {
    const batch = readArrowMessages(stream)[2]?.bytes ?? Buffer.alloc(0);
    expect(() => createRowBuffer("arrow").add(batch)).toThrow(expect.objectContaining({ reason: "MALFORMED_ARROW" }));
    expect(() => createRowBuffer("arrow").add(Buffer.from('{"a":1}\n'))).toThrow(
      expect.objectContaining({ reason: "MALFORMED_ARROW" }),
    );
  });
});
