import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LoadLab } from "../../helpers/load-engine.ts";

let lab: LoadLab;
beforeAll(async () => {
  lab = await LoadLab.open();
});
afterAll(() => lab[Symbol.asyncDispose]());

const TEXT = "name,n\nAda 😀 Lovelace,1\n日本,2\n";
const EXPECTED = [
  ["Ada 😀 Lovelace", "1"],
  ["日本", "2"],
];

function utf16(text: string, order: "le" | "be", mark: boolean): Buffer {
  const bytes = Buffer.from((mark ? "\uFEFF" : "") + text, "utf16le");
  return order === "le" ? bytes : bytes.swap16();
}

describe("text that is not UTF-8", () => {
  it.each([
    ["utf-16le", true],
    ["utf-16le", false],
    ["utf-16be", true],
    ["utf-16be", false],
  ] as const)("%s with mark %s", async (encoding, mark) => {
    const bytes = utf16(TEXT, encoding === "utf-16le" ? "le" : "be", mark);
    expect((await lab.loadText(bytes, { options: { encoding } })).values).toEqual(EXPECTED);
  });

  it.each(["le", "be"] as const)("UTF-16 (%s) is known by its mark", async (order) => {
    expect((await lab.loadText(utf16(TEXT, order, true))).values).toEqual(EXPECTED);
  });

  it("windows-1252 with a euro sign", async () => {
    const bytes = Buffer.concat([Buffer.from("price\n12 "), Buffer.from([0x80]), Buffer.from("\ncaf\xe9\n", "latin1")]);
    const loaded = await lab.loadText(bytes, { options: { encoding: "windows-1252" } });
    expect(loaded.values).toEqual([["12 €"], ["café"]]);
    expect(loaded.sourceBytes).toBe(bytes.length);
  });

  it("shift_jis", async () => {
    const bytes = Buffer.concat([
      Buffer.from("name\n"),
      Buffer.from([0x93, 0xfa, 0x96, 0x7b, 0x8c, 0xea]),
      Buffer.from("\n"),
    ]);
    expect((await lab.loadText(bytes, { options: { encoding: "Shift_JIS" } })).values).toEqual([["日本語"]]);
  });

  it("compressed, and larger than a chunk", async () => {
    const row = "çédille 😀,7\n";
    const bytes = gzipSync(utf16(`t,n\n${row.repeat(60_000)}`, "le", false));
    const loaded = await lab.loadText(bytes, { ending: "csv.gz", options: { encoding: "utf-16le" } });
    expect(loaded).toMatchObject({ rows: 60_000, sourceBytes: bytes.length });
    expect(await lab.query(`SELECT DISTINCT t, n FROM '${loaded.directory}/*.parquet'`)).toEqual([["çédille 😀", "7"]]);
  });

  it("JSON too", async () => {
    expect((await lab.loadText(utf16('[{"a":"😀"}]', "be", true), { ending: "json" })).values).toEqual([["😀"]]);
  });

  it("is refused where it does not decode, with the line", async () => {
    const bytes = Buffer.concat([Buffer.from("a\nb\n"), Buffer.from([0x81, 0x20]), Buffer.from("\n")]);
    expect(await lab.textFailure(bytes, { options: { encoding: "shift_jis" } })).toMatchObject({
      reason: "SOURCE_ENCODING",
      metadata: { encoding: "shift_jis" },
    });
  });

  it.each(["klingon", "replacement", ""])("refuses the encoding %j", async (encoding) => {
    expect(await lab.textFailure("a\n1\n", { options: { encoding } })).toMatchObject({ reason: "INVALID_OPTION" });
  });
});
