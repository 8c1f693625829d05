import { readdir, readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { spoolText } from "../../../src/loading/worker/text-spool.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";

const { signal } = new AbortController();

it("whoever leaves early does not wait for a source that gives no more, and no file stays", async () => {
  await using folder = await temporaryFolder();
  async function* stalling() {
    for (let row = 0; row < 5; row++) yield Buffer.from(`${row},a\n`);
    await new Promise(() => undefined);
  }
  const options = { directory: folder.path, signal, maxFileBytes: 4, name: "spool" };
  const reading = async () => {
    for await (const file of spoolText(stalling(), options)) {
      await using _ = file;
      if ((await readFile(file.path, "utf8")).startsWith("4")) throw new Error("the engine refuses it");
    }
  };
  await expect(reading()).rejects.toThrow("the engine refuses it");
  expect(await readdir(folder.path)).toEqual([]);
});

it("a source that is left early is told so", async () => {
  await using folder = await temporaryFolder();
  let told = false;
  async function* rows() {
    try {
      for (;;) yield Buffer.from("1,a\n");
    } finally {
      told = true;
    }
  }
  const options = { directory: folder.path, signal, maxFileBytes: 4, name: "spool" };
  for await (const file of spoolText(rows(), options)) {
    await using _ = file;
    break;
  }
  await expect.poll(() => told).toBe(true);
  expect(await readdir(folder.path)).toEqual([]);
});

describe("a row that the engine could not read", () => {
  const large = 8 * 1024 * 1024;
  const read = async (text: string, pieceBytes: number) => {
    await using folder = await temporaryFolder();
    const bytes = Buffer.from(text);
    async function* pieces() {
      for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
    }
    let told = "";
    for await (const file of spoolText(pieces(), {
      directory: folder.path,
      signal,
      maxFileBytes: large,
      name: "spool",
    })) {
      await using _ = file;
      told += await readFile(file.path, "utf8");
    }
    expect(told).toBe(text);
  };
  const long = { reason: "ROW_TOO_LONG" };

  it.each([64 * 1024, 100_000_000])(
    "is refused, first, between others or last, in pieces of %i bytes",
    async (pieceBytes) => {
      const row = `${"y".repeat(large)}\n`;
      for (const text of [row, `1\n${row}`, `1\n${row}2\n`, `1\n"${"y\n".repeat(large / 2)}"\n2\n`])
        await expect(read(text, pieceBytes)).rejects.toMatchObject(long);
    },
  );

  it.each([64 * 1024, 100_000_000])(
    "is none of many that are as long as rows may be, in pieces of %i bytes",
    async (pieceBytes) => {
      const row = `"${"y\n".repeat(large / 2 - 2)}"\n`;
      await read(`1\n${row}2\n"\n\n"\n${row}${row}`, pieceBytes);
    },
  );
});
