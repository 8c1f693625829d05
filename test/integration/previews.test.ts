import { glob, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect, type Drover, DroverError, type Preview } from "../../clients/node/src/index.ts";
import { runCli } from "../helpers/cli.ts";
import { startDriver, type TestDriver } from "../helpers/driver.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

let driver: TestDriver;
let drover: Drover;
let folder: string;
let stack: AsyncDisposableStack;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  folder = stack.use(await temporaryFolder()).path;
  driver = stack.use(await startDriver());
  drover = stack.use(await connect({ address: driver.address, token: driver.token }));
});

afterAll(() => stack.disposeAsync());

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

function types({ columns }: Preview): string {
  return columns.map(({ name, type }) => `${name} ${type}`).join(", ");
}

async function failure(promise: Promise<unknown>): Promise<DroverError> {
  const error = await promise.then(
    () => new Error("it did not fail"),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DroverError);
  return error as DroverError;
}

/** Settles once the driver knows of an upload that is being sent. */
async function announced(id: string): Promise<void> {
  await expect.poll(() => drover.uploaded(id).catch(() => undefined)).toBeDefined();
}

/** Some MB of rows whose first ones show all types. */
function longCsv(rows: number, delimiter = ";"): string {
  const head = ["id", "name", "price", "day", "at"].join(delimiter);
  const row = (index: number) =>
    [
      index,
      `"name ${index}\n${delimiter} of it"`,
      `${index}.5`,
      "2024-12-31",
      `2024-12-31 23:59:${index % 60 < 10 ? "0" : ""}${index % 60}`,
    ].join(delimiter);
  return `${head}\n${Array.from({ length: rows }, (_, index) => row(index)).join("\n")}\n`;
}

const longTypes = "id BIGINT, name VARCHAR, price DOUBLE, day DATE, at TIMESTAMP";

describe("a preview", () => {
  test("shows the first rows of a large file with the types that its load finds, and what was found of it", async () => {
    const path = await file("long.csv", longCsv(100_000));
    const found = await drover.preview({ uri: path });
    expect(types(found)).toBe(longTypes);
    expect(found.values.length).toBe(100);
    expect(found.values[99]).toEqual([99n, "name 99\n; of it", 99.5, "2024-12-31", "2024-12-31T23:59:39"]);
    expect(found).toMatchObject({
      complete: false,
      foundOptions: { delimiter: ";", header: true },
      source: { format: "csv", uri: path },
    });
    const { dataset } = await (await drover.load("long", found.source)).result();
    expect(dataset.columns).toEqual(found.columns);
  });

  test.each([
    ["csv.gz", (text: string) => gzipSync(text)],
    ["csv in UTF-16", (text: string) => Buffer.from(`\uFEFF${text}`, "utf16le")],
    ["csv", (text: string) => Buffer.from(text.replace(/\n$/, ""))],
  ])("reads %s", async (kind, encode) => {
    const path = await file(`one.${kind.split(" ")[0]}`, encode(longCsv(20_000)));
    const found = await drover.preview({ uri: path }, { limit: 3 });
    expect([types(found), found.values.length, found.complete]).toEqual([longTypes, 3, false]);
  });

  test("says when it shows everything", async () => {
    const path = await file("short.csv", "a,b\n1,x\n2,\n");
    const found = await drover.preview({ uri: path });
    expect(found).toMatchObject({
      complete: true,
      values: [
        [1n, "x"],
        [2n, null],
      ],
    });
    expect((await drover.preview({ uri: path }, { limit: 2 })).complete).toBe(true);
    expect((await drover.preview({ uri: path }, { limit: 1 })).complete).toBe(false);
    expect(await drover.preview({ uri: await file("head.csv", "a,b\n") })).toMatchObject({
      complete: true,
      values: [],
    });
  });

  test("takes the options of a load, and refuses what a load would refuse", async () => {
    const path = await file("numbers.csv", "1;01.02.2024;1,5;-\n2;03.02.2024;2,5;7\n");
    const options = { header: false, dateFormat: "%d.%m.%Y", decimalSeparator: ",", nullStrings: "-" };
    const found = await drover.preview({ uri: path, options });
    expect(types(found)).toBe("column_1 BIGINT, column_2 DATE, column_3 DOUBLE, column_4 BIGINT");
    expect(found).toMatchObject({
      foundOptions: { delimiter: ";" },
      values: [
        [1n, "2024-02-01", 1.5, null],
        [2n, "2024-02-03", 2.5, 7n],
      ],
    });
    expect((await failure(drover.preview({ uri: path, options: { delimitr: ";" } }))).reason).toBe("UNKNOWN_OPTION");
    expect((await failure(drover.preview({ uri: join(folder, "none.csv") }))).reason).toBe("SOURCE_NOT_FOUND");
    expect((await failure(drover.preview({ uri: await file("empty.csv", "") }))).reason).toBe("EMPTY_SOURCE");
    const kept = await drover.preview({ uri: path, options: { ...options, columns: "column_3,column_1" } });
    expect(kept.values[0]).toEqual([1.5, 1n]);
  });

  test.each([
    ["lines", (records: string[]) => records.join("\n")],
    ["an array", (records: string[]) => `[${records.join(",\n")}]`],
  ])("reads the beginning of JSON in %s", async (name, write) => {
    const records = Array.from({ length: 60_000 }, (_, id) => JSON.stringify({ id, text: `}] ${id}`, list: [id] }));
    const path = await file(`${name.replace(" ", "-")}.json`, write(records));
    const found = await drover.preview({ uri: path }, { limit: 2 });
    expect(types(found)).toBe("id BIGINT, text VARCHAR, list BIGINT[]");
    expect(found).toMatchObject({
      complete: false,
      values: [
        [0n, "}] 0", ["0"]],
        [1n, "}] 1", ["1"]],
      ],
    });
  });

  test("reads the beginning of XML, and says which elements may be the records", async () => {
    const unclosed = await failure(drover.preview({ uri: await file("unclosed.xml", "<r><i>1</i><i>2</i>") }));
    expect(unclosed).toMatchObject({ reason: "MALFORMED_XML", metadata: { element: "r" } });
    const damaged = gzipSync(`<r>${"<i>1</i>".repeat(1_000)}</r>`).subarray(0, -10);
    expect((await failure(drover.preview({ uri: await file("damaged.xml.gz", damaged) }))).reason).toBe(
      "SOURCE_TRUNCATED",
    );
    const records = Array.from(
      { length: 40_000 },
      (_, id) => `<sale id="${id}"><at>2024-12-31</at><of>${id / 2}</of></sale>`,
    );
    const text = `<shop><sales>${records.join("\n")}</sales></shop>`;
    const found = await drover.preview({ uri: await file("sales.xml", text) });
    expect(types(found)).toBe("id BIGINT, at DATE, of DOUBLE");
    expect(found).toMatchObject({ complete: false, foundOptions: { recordPath: "/shop/sales/sale" } });
    expect(found.recordPaths).toContain("/shop/sales/sale");
    const go = Promise.withResolvers<void>();
    async function* slowly() {
      yield Buffer.from(text.slice(0, 100_000));
      await go.promise;
      yield Buffer.from(text.slice(100_000));
    }
    const sending = drover.upload(slowly(), { id: "arriving-xml", name: "arriving.xml" });
    await announced("arriving-xml");
    expect(types(await drover.preview({ uri: "upload:arriving-xml" }))).toBe("id BIGINT, at DATE, of DOUBLE");
    go.resolve();
    await sending;
  });

  test("reads Parquet", async () => {
    const { dataset } = await (await drover.load("for-parquet", { text: "a,b\n1,x\n2,y\n" })).result();
    expect(dataset.version.rows).toBe(2);
    const segments: string[] = [];
    for await (const path of glob(join(driver.dataDir, "datasets/*/versions/1/segment-*.parquet"))) segments.push(path);
    const copies = segments.map(async (path, index) => file(`copy-${index}.parquet`, await readFile(path)));
    const previews = await Promise.all(copies.map(async (copy) => drover.preview({ uri: await copy }, { limit: 1 })));
    const [found] = previews.filter((each) => types(each) === "a BIGINT, b VARCHAR");
    if (found === undefined) throw new Error(`none of ${segments.join(", ")}`);
    expect(found.columns).toEqual(dataset.columns);
    expect(found).toMatchObject({ complete: false, source: { format: "parquet" } });
    expect(found.values.length).toBe(1);
  });

  test("shows pasted text, which then is an upload that can be loaded", async () => {
    const found = await drover.preview({ text: "a\tb\n1\tx\n" });
    expect(found).toMatchObject({ values: [[1n, "x"]], complete: true, foundOptions: { delimiter: "\t" } });
    expect(found.source.uri).toMatch(/^upload:text-/);
    expect((await (await drover.load("pasted", found.source)).result()).dataset.version.rows).toBe(1);
  });

  test.each([
    ["csv", (text: string) => Buffer.from(text)],
    ["csv.gz", (text: string) => gzipSync(text, { level: 0 })],
  ])("of a %s is there while its bytes still arrive, from the first 64 KiB", async (ending, encode) => {
    const bytes = encode(longCsv(20_000));
    const go = Promise.withResolvers<void>();
    async function* slowly() {
      // Fewer than it needs at first.
      yield bytes.subarray(0, 30_000);
      yield bytes.subarray(30_000, 100_000);
      await go.promise;
      yield bytes.subarray(100_000);
    }
    const id = `arriving-${ending}`;
    const sending = drover.upload(slowly(), { id, name: `arriving.${ending}`, size: bytes.length });
    await announced(id);
    const found = await drover.preview({ uri: `upload:${id}` });
    expect((await drover.uploaded(id)).finished).toBe(false);
    expect([types(found), found.values.length, found.complete]).toEqual([longTypes, 100, false]);
    go.resolve();
    expect(await sending).toMatchObject({ finished: true });
    expect(types(await drover.preview({ uri: `upload:${id}` }))).toBe(longTypes);
  });

  test("of bytes that don't come holds up no other, however often somebody asks", async () => {
    const go = Promise.withResolvers<void>();
    async function* stalling() {
      yield Buffer.from("a,b\n1,x\n");
      await go.promise;
    }
    const sending = drover.upload(stalling(), { id: "stalling", name: "stalling.csv" });
    await announced("stalling");
    const leave = new AbortController();
    const waiting = Array.from({ length: 12 }, () =>
      drover.preview({ uri: "upload:stalling" }, { signal: leave.signal }).catch(({ reason }) => reason),
    );
    const path = await file("meanwhile.csv", "a\n1\n");
    expect((await drover.preview({ uri: path }, { signal: AbortSignal.timeout(50_000) })).values).toEqual([[1n]]);
    leave.abort();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(["CANCELLED"]));
    go.resolve();
    expect(await sending).toMatchObject({ finished: true });
  });

  test("of what is no source shows by its own name what is wrong", async () => {
    const sent = await drover.upload(Buffer.from([1, 0, 2, 0]), { name: "noise.csv" });
    const error = await failure(drover.preview({ uri: sent.uri }));
    expect(error).toMatchObject({ reason: "SOURCE_BINARY", metadata: { file: "noise.csv" } });
  });

  test("is printed by the command, for people and for scripts", async () => {
    const at = ["--address", driver.address, "--token-file", join(driver.dataDir, "token")];
    const { stdout } = await runCli([...at, "preview", join(folder, "short.csv")]);
    expect(stdout).toContain("a BIGINT, b VARCHAR\n");
    expect(stdout).toContain('csv; found: delimiter="," header=true');
    const json = JSON.parse(
      (await runCli([...at, "--json", "preview", join(folder, "short.csv"), "--limit", "1"])).stdout,
    );
    expect(json).toMatchObject({ rows: [["1", "x"]], complete: false, source: { format: "csv" } });
  });
});
