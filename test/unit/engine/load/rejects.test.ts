import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LoadLab } from "../../../helpers/load-engine.ts";

let lab: LoadLab;
beforeAll(async () => {
  lab = await LoadLab.open();
});
afterAll(() => lab[Symbol.asyncDispose]());

const skip = (more: Readonly<Record<string, unknown>> = {}) => ({ options: { badRows: "skip", ...more } });

describe("badRows=skip", () => {
  it("counts and shows rows that can't be split, hold a wrong type, or are not UTF-8", async () => {
    const text = 'id,n\n1,10\n"2\n2",20\n\n3,x\n4,1,2,3,4\n5\n6,"a"b\n7,1.5\n';
    const loaded = await lab.loadText(
      Buffer.concat([Buffer.from(text), Buffer.from([0x38, 0x2c, 0xe9, 0x0a]), Buffer.from("9,90\n")]),
      skip({ types: "n=BIGINT" }),
    );
    expect(loaded.values).toEqual([
      ["1", "10"],
      ["2\n2", "20"],
      ["9", "90"],
    ]);
    expect(loaded.rejectedRows).toBe(6);
    expect(loaded.rejectedSamples.map(({ line, column, reason, text: row }) => [line, column, reason, row])).toEqual([
      [6, "n", '"x" is no BIGINT', "3,x"],
      [7, "", "more than the 2 values that are expected", "4,1,2,3,4"],
      [8, "n", "1 of the 2 values that are expected", "5"],
      [9, "n", "a quoted value does not end, or text follows its closing quote", '6,"a"b'],
      [10, "n", '"1.5" is no BIGINT', "7,1.5"],
      [11, "n", "not UTF-8", "8,\uFFFD"],
    ]);
  });

  it("counts exactly, keeps the first hundred, and allows as many as it was told", async () => {
    const rows = Array.from({ length: 30_000 }, (_, row) => (row % 20 === 0 ? "1,2,3,4,5,6,7,8" : "1,2"));
    const text = `a,b\n${rows.join("\n")}\n`;
    const loaded = await lab.loadText(text, skip({ maxBadRows: 1_500 }));
    expect(loaded).toMatchObject({ rows: 28_500, rejectedRows: 1_500 });
    expect(loaded.rejectedSamples).toHaveLength(100);
    expect(loaded.rejectedSamples.map(({ line }) => line)).toEqual(Array.from({ length: 100 }, (_, at) => 2 + at * 20));
    const error = await lab.textFailure(text, skip({ maxBadRows: 1_499 }));
    expect(error).toMatchObject({ reason: "TOO_MANY_BAD_ROWS", metadata: { maxBadRows: "1499" } });
  });

  it("adds up both kinds of bad rows against the limit", async () => {
    const text = "a,b\n1,x\n2,y\n3,1,1\n4,4\n";
    expect(await lab.loadText(text, skip({ types: "b=INTEGER", maxBadRows: 3 }))).toMatchObject({
      rows: 1,
      rejectedRows: 3,
    });
    expect(await lab.textFailure(text, skip({ types: "b=INTEGER", maxBadRows: 2 }))).toMatchObject({
      reason: "TOO_MANY_BAD_ROWS",
    });
  });

  it("widens inferred types rather than skipping rows", async () => {
    const loaded = await lab.loadText(`a,b\n${"1,2\n".repeat(10_000)}x,2\n1,2,3\n`, skip());
    expect(loaded).toMatchObject({ rows: 10_001, rejectedRows: 1, types: { a: "VARCHAR", b: "BIGINT" } });
  });

  it("names each file's own lines", async () => {
    const folder = await lab.folder();
    const name = folder.split("/").at(-1);
    const one = await lab.file(`${name}/1.csv`, "a,b\n1,x\n1,1\n");
    const two = await lab.file(`${name}/2.csv`, "a,b\n\n\n1,2\n1\n");
    const loaded = await lab.load(`${folder}/*.csv`, skip({ types: "b=INTEGER" }));
    expect(loaded.rejectedSamples.map(({ file, line }) => [file, line])).toEqual([
      [one, 2],
      [two, 5],
    ]);
  });

  it.each([
    ["to the end", '1,"2\n3,4\n5,6\n', "3", "line 3"],
    ["to the next quote", '1,"2\n3,4\n5,"6"\n7,8\n', "3", "line 3"],
    ["behind too many values", '1,2,3,"4\n5,6\n', "3", "line 3"],
    ["behind another fault", '"1"x,"2\n3,"4"\n5,6\n', "2", "below line 2"],
  ])("fails where a quote that is not closed takes lines along: %s", async (_, rows, line, says) => {
    const error = await lab.textFailure(`a,b\n1,2\n${rows}`, skip({ quote: '"', header: true, delimiter: "," }));
    expect(error).toMatchObject({ reason: "UNTERMINATED_QUOTE", metadata: { line } });
    expect(error.message).toContain(`${says}: a quote that is not closed`);
  });

  it("fails where the engine keeps too little of a row to tell what its broken quote takes along", async () => {
    for (const row of [`1,"${"é".repeat(3_000)}${"y".repeat(6_000)}`, `1,"${"y".repeat(12_000)}"z`]) {
      const error = await lab.textFailure(`a,b\n1,2\n${row}\n3,4\n`, skip());
      expect(error).toMatchObject({ reason: "UNTERMINATED_QUOTE", metadata: { line: "3" } });
      expect(error.message).toContain("line 3: a broken quote in a row of 10000 bytes or more may take");
    }
  });

  it("skips a broken quote that is its own line's alone, and a whole row of several lines", async () => {
    const text = 'a,b\n1,2\n\n\n3,"4"x\n"5,6"\n7,"8\n\n9",10\n11,12\n13,"14\n\n';
    const loaded = await lab.loadText(text, skip());
    expect(loaded).toMatchObject({ rows: 2, rejectedRows: 4 });
    expect(loaded.rejectedSamples.map(({ line }) => line)).toEqual([5, 6, 7, 11]);
  });

  it("rejects nothing where nothing is wrong", async () => {
    expect(await lab.loadText("a\n1\n", skip())).toMatchObject({ rows: 1, rejectedRows: 0, rejectedSamples: [] });
  });

  it("skips broken lines of JSON", async () => {
    const loaded = await lab.loadText('{"a":1,"b":"x"}\n{"a":2\n{"a":"three","b":"y"}\n{"a":4}\n', {
      ending: "ndjson",
      ...skip({ types: "a=INTEGER" }),
    });
    expect(loaded.values).toEqual([
      [1, "x"],
      [4, null],
    ]);
    expect(loaded.rejectedSamples.map(({ line, column, reason }) => [line, column, reason])).toEqual([
      [2, "", "not JSON"],
      [3, "a", '"three" is no INTEGER'],
    ]);
    expect(loaded.rejectedRows).toBe(2);
    const error = await lab.textFailure('{"a":1}\n{\n{\n', { ending: "ndjson", ...skip({ maxBadRows: 1 }) });
    expect(error).toMatchObject({ reason: "TOO_MANY_BAD_ROWS" });
  });

  it("fails by a row of which the engine can't take a note, since it ends that within a character", async () => {
    const error = await lab.textFailure(`a,b\n1,2\n3,4,5,6,${"€".repeat(4_000)}\n5,6\n`, skip());
    expect(error).toMatchObject({ reason: "ROW_TOO_LONG" });
    expect(error.message).toContain("can't be noted");
  });
});
