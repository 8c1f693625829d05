import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect, type Drover, DroverError, type Source, type TextSource } from "../../clients/node/src/index.ts";
import { runCli } from "../helpers/cli.ts";
import { startCutProxy } from "../helpers/cut-proxy.ts";
import { startDriver, type TestDriver } from "../helpers/driver.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

let driver: TestDriver;
let drover: Drover;
let folder: string;
let stack: AsyncDisposableStack;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  folder = stack.use(await temporaryFolder()).path;
  driver = stack.use(await startDriver({ args: ["--limits-max-upload-bytes", "64MiB", "--file-roots", folder] }));
  drover = stack.use(await connect({ address: driver.address, token: driver.token }));
});

afterAll(() => stack.disposeAsync());

/** Lines that differ, so that a piece in the wrong place shows. */
function csvText(rows: number): string {
  const lines = Array.from({ length: rows }, (_, row) => `${row},name ${row},${row / 8}`);
  return `id,name,value\n${lines.join("\n")}\n`;
}

async function rowsOf(source: Source | TextSource): Promise<number> {
  const { dataset } = await (await drover.load("uploaded", source)).result();
  return dataset.version.rows;
}

async function failure(promise: Promise<unknown>): Promise<DroverError> {
  const error = await promise.then(
    () => new Error("it did not fail"),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DroverError);
  return error as DroverError;
}

describe("a file that a client has sent", () => {
  test("is loaded, by the ending of its name, in folders that its path could not be in", async () => {
    const text = csvText(20_000);
    const path = join(folder, "a b.csv");
    await writeFile(path, text);
    const progress: number[] = [];
    const sent = await drover.upload(path, { onProgress: ({ bytes }) => progress.push(bytes) });
    expect(sent).toMatchObject({ name: "a b.csv", finished: true, receivedBytes: text.length, requestedBy: "owner" });
    expect(progress.at(-1)).toBe(text.length);
    expect(await rowsOf({ uri: sent.uri })).toBe(20_000);
    const { version } = await drover.dataset("uploaded");
    expect(version.source).toMatchObject({ uri: sent.uri, format: "csv" });
  });

  test("may be bytes, a blob, a stream or a pipe's end, plain or compressed", async () => {
    const bytes = Buffer.from(csvText(1_000));
    const contents = {
      "bytes.csv": bytes,
      "blob.csv": new Blob([bytes]),
      "stream.csv": Readable.from([bytes.subarray(0, 7), bytes.subarray(7)]),
      "../../etc/passwd.csv.gz": gzipSync(bytes),
      none: bytes,
    };
    for (const [name, content] of Object.entries(contents)) {
      const format = name === "none" ? "csv" : undefined;
      const sent = await drover.upload(content, { name, format });
      expect([name, await rowsOf({ uri: sent.uri })]).toEqual([name, 1_000]);
    }
  });

  test("shows by its own name in errors, never by where the driver keeps it", async () => {
    const sent = await drover.upload(Buffer.from("a,b\n1,2\n3,4,5\n"), { name: "broken.csv" });
    const error = await failure(drover.load("broken", { uri: sent.uri }).then((load) => load.result()));
    expect(error.message).toMatch(/^broken\.csv, line 3/);
    expect(JSON.stringify([error.message, error.metadata])).not.toContain(driver.dataDir);
    const utf16 = Buffer.from("\uFEFFa,b\n1,2\n3,4,5\n", "utf16le");
    const copied = await drover.upload(utf16, { name: "broken16.csv" });
    const other = await failure(drover.load("broken", { uri: copied.uri }).then((load) => load.result()));
    expect(JSON.stringify([other.message, other.metadata])).not.toContain(driver.dataDir);
    expect(other.message).toMatch(/^broken16\.csv, line 3/);
  });

  test("is listed and deleted", async () => {
    const sent = await drover.upload(Buffer.from("a\n1\n"), { id: "to-delete", name: "x.csv" });
    const ids: string[] = [];
    for await (const { id } of drover.uploads()) ids.push(id);
    expect(ids).toContain(sent.id);
    await drover.deleteUpload(sent.id);
    expect((await failure(drover.uploaded(sent.id))).reason).toBe("UPLOAD_NOT_FOUND");
    expect((await failure(drover.load("gone", { uri: sent.uri }))).reason).toBe("UPLOAD_NOT_FOUND");
  });

  test("is refused by name where it is too large, is another one, or has no id that could be one", async () => {
    const large = Readable.from(
      (function* () {
        for (let i = 0; i < 70; i++) yield Buffer.alloc(2 ** 20);
      })(),
    );
    expect((await failure(drover.upload(large, { name: "large.csv" }))).reason).toBe("UPLOAD_TOO_LARGE");
    await drover.upload(Buffer.from("a\n1\n"), { id: "same" });
    expect((await failure(drover.upload(Buffer.from("b\n2\n"), { id: "same" }))).reason).toBe("UPLOAD_EXISTS");
    expect(await drover.upload(Buffer.from("a\n1\n"), { id: "same" })).toMatchObject({ id: "same", finished: true });
    for (const id of ["../x", ".x", "a/b", "x".repeat(129)]) {
      expect((await failure(drover.upload(Buffer.from("a"), { id }))).reason).toBe("INVALID_REQUEST");
    }
  });
});

describe("an upload whose connection breaks", () => {
  const seed = Number(process.env.DROVER_TEST_SEED ?? Date.now() % 1_000_000);

  test(`goes on by itself until all of it is there (seed ${seed})`, async () => {
    let state = seed;
    const random = (below: number) => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      return state % below;
    };
    await using proxy = await startCutProxy(driver.address);
    await using client = await connect({ address: proxy.address, token: driver.token });
    const bytes = Buffer.from(csvText(200_000));
    let next = random(bytes.length / 3);
    let cuts = 0;
    const onProgress = ({ bytes: sent }: { bytes: number }) => {
      if (sent < next || cuts === 4) return;
      cuts++;
      next = sent + random(bytes.length / 3);
      proxy.cut();
    };
    const sent = await client.upload(bytes, { name: "cut.csv", onProgress });
    expect(cuts).toBeGreaterThan(0);
    expect(sent.sha256).toBe(createHash("sha256").update(bytes).digest("hex"));
    expect(await rowsOf({ uri: sent.uri })).toBe(200_000);
  });

  test("and that can't be read again fails, and another client goes on with it at another driver", async () => {
    await using proxy = await startCutProxy(driver.address);
    await using client = await connect({ address: proxy.address, token: driver.token });
    const bytes = Buffer.from(csvText(100_000));
    async function* half() {
      yield bytes.subarray(0, 1_000_000);
      await expect
        .poll(async () => (await drover.uploaded("half").catch(() => undefined))?.receivedBytes ?? 0)
        .toBe(1_000_000);
      proxy.cut();
      yield bytes.subarray(1_000_000);
    }
    expect((await failure(client.upload(half(), { id: "half", name: "half.csv" }))).reason).toBe("STREAM_CUT");
    await using other = await startDriver({ dataDir: driver.dataDir, profile: "other", config: "" });
    await using there = await connect({ address: other.address, token: other.token });
    const offsets: number[] = [];
    const content = (offset: number) => {
      offsets.push(offset);
      return Readable.from([bytes.subarray(offset)]);
    };
    const sent = await there.upload(content, { id: "half", name: "half.csv" });
    // The first time for the hash only; again where the first driver has not seen yet that its client is gone.
    expect([...new Set(offsets)]).toEqual([0, 1_000_000]);
    expect(sent).toMatchObject({ finished: true, receivedBytes: bytes.length });
    expect(await rowsOf({ uri: sent.uri })).toBe(100_000);
  });
});

describe("pasted text", () => {
  test("is a source", async () => {
    expect(await rowsOf({ text: csvText(10) })).toBe(10);
    expect(await rowsOf({ text: '{"a":1}\n{"a":2}\n' })).toBe(2);
    expect(await rowsOf({ text: "a\tb\n1\t2\n", format: "tsv" })).toBe(1);
    const { version } = await drover.dataset("uploaded");
    expect(version.source?.uri).toMatch(/^upload:text-[0-9a-f]{32}$/);
    // It can be loaded again by that URI.
    expect(await rowsOf({ uri: version.source?.uri ?? "", format: "tsv" })).toBe(1);
  });

  test("comes with JSON over HTTP as well, and not together with a URI", async () => {
    const post = async (source: object) => {
      const response = await fetch(`http://${driver.address}/drover.v1.DatasetService/LoadDataset`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${driver.token}` },
        body: JSON.stringify({ dataset: "pasted", source }),
      });
      return response.text();
    };
    expect(await post({ text: "a\n1\n" })).toContain('"kind":"OPERATION_KIND_LOAD"');
    expect(await post({ text: "a\n1\n", uri: "/x.csv" })).toContain(
      "source.text: can't be given together with a URI or a connection",
    );
    expect(await post({})).toContain("a source needs a URI or a connection");
  });
});

describe("the command", () => {
  test("sends files and standard input, and lists and deletes them", async () => {
    const path = join(folder, "sent.csv.gz");
    await pipeline(Readable.from([csvText(500)]), createGzip(), createWriteStream(path));
    const at = ["--address", driver.address, "--token-file", join(driver.dataDir, "token")];
    const uri = "upload:by-command";
    expect(await runCli([...at, "upload", path, "--id", "by-command"])).toEqual({
      stdout: `${uri}\n`,
      code: 0,
      stderr: "",
    });
    expect((await runCli([...at, "load", "sent", uri])).stdout).toContain("500 rows");
    const piped = await runCli([...at, "load", "piped", "-", "-f", "csv"], {
      input: await readFile(join(folder, "a b.csv")),
    });
    expect(piped.stdout).toContain("20,000 rows");
    const { uploads } = JSON.parse((await runCli([...at, "--json", "uploads"])).stdout);
    expect(uploads).toContainEqual(expect.objectContaining({ id: "by-command", finished: true, name: "sent.csv.gz" }));
    expect((await runCli([...at, "uploads", "rm", uri])).stdout).toBe("by-command is deleted\n");
    expect(await runCli([...at, "load", "sent", uri])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("UPLOAD_NOT_FOUND"),
    });
  });
});
