import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { csvRows, jsonRows } from "../src/append-files.ts";

async function all<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

async function read(...pieces: readonly string[]): Promise<unknown> {
  const { header, rows } = await csvRows(Readable.from(pieces.map((piece) => Buffer.from(piece))));
  return [header, ...(await all(rows))];
}

describe("rows of a CSV file", () => {
  test("are rows also where all their values are missing or blank", async () => {
    expect(await read("\na,b\n,\n", "\n , \nx,\n\n")).toEqual([
      ["a", "b"],
      [null, null],
      [" ", " "],
      ["x", null],
    ]);
  });

  test.each([
    [["a\n1\n\n\n2\n"], [["1"], [null], [null], ["2"]]],
    [["a\n1\n\n"], [["1"], [null]]],
    [
      ["a\n1\n", "\n"],
      [["1"], [null]],
    ],
    [["a\r\n\r\n1"], [[null], ["1"]]],
    [['a\n""\n1\n'], [[null], ["1"]]],
    [["a\n"], []],
  ])("of one column are NULL where their line is empty: %j", async (pieces, rows) => {
    expect(await read(...pieces)).toEqual([["a"], ...rows]);
  });

  test("keep their number over all the pieces of a large file", async () => {
    const pieces = Array.from({ length: 5_000 }, (_, piece) => `${piece}\n\n${"x".repeat(piece % 97)}y\n`);
    expect((await read("a\n", ...pieces)) as unknown[]).toHaveLength(1 + 15_000);
  });
});

test("rows of JSON lines end with line feeds alone", async () => {
  const lines = ['{"t":"a\u2028b\u2029c\u0085d"}', "", '{"t":1}'];
  const pieces = [`${lines.join("\n")}\r\n`];
  expect(await all(jsonRows(Readable.from(pieces.map((piece) => Buffer.from(piece)))))).toEqual([
    lines[0],
    `${lines[2]}\r`,
  ]);
});

test("rows of JSON lines that are not UTF-8 are refused", async () => {
  const bytes = Readable.from([Buffer.from([0x22, 0xff, 0x22, 0x0a])]);
  await expect(all(jsonRows(bytes))).rejects.toThrow("the file is not UTF-8");
});
