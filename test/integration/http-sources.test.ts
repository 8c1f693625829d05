import { randomBytes } from "node:crypto";
import { glob, readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect, type Drover, DroverError, type JsonObject } from "../../clients/node/src/index.ts";
import { runCli } from "../helpers/cli.ts";
import { startDriver, type TestDriver } from "../helpers/driver.ts";

const secret = `t${randomBytes(12).toString("hex")}`;
const csv = `id,name\n${Array.from({ length: 50_000 }, (_, id) => `${id},name ${id}`).join("\n")}\n`;

let stack: AsyncDisposableStack;
let driver: TestDriver;
let drover: Drover;
let base: string;
/** What the server has at a path. */
const files = new Map<string, (request: IncomingMessage, response: ServerResponse) => void>();
const requests: IncomingMessage[] = [];

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const server = createServer((request, response) => {
    requests.push(request);
    const answer = files.get((request.url ?? "").split("?", 1)[0] ?? "");
    if (answer) answer(request, response);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stack.defer(() => void server.close());
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const env = { DROVER_SECRET_LAKE: secret };
  const args = ["--http-sources", base, "--limits-max-fetch-bytes", "2MiB"];
  driver = stack.use(await startDriver({ env, args }));
  drover = stack.use(await connect({ address: driver.address, token: driver.token }));
});

afterAll(() => stack.disposeAsync());

function put(path: string, content: string | Buffer): string {
  files.set(path, (_, response) => {
    response.writeHead(200, { "content-length": Buffer.byteLength(content) }).end(content);
  });
  return base + path;
}

async function segments(): Promise<string[]> {
  const found: string[] = [];
  for await (const path of glob(join(driver.dataDir, "datasets/*/versions/*/segment-*.parquet"))) found.push(path);
  return found;
}

async function rowsOf(uri: string, options: JsonObject = {}): Promise<number> {
  return (await (await drover.load("fetched", { uri, options })).result()).dataset.version.rows;
}

async function failure(promise: Promise<unknown>): Promise<DroverError> {
  const error = await promise.then(
    () => new Error("it did not fail"),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DroverError);
  return error as DroverError;
}

describe("a file at a URL", () => {
  test("is loaded as CSV, JSON, XML and Parquet, compressed or not", async () => {
    await (await drover.load("segments", { uri: put("/a.csv", csv) })).result();
    const segmentsThen = await segments();
    expect(await rowsOf(put("/a.csv.gz", gzipSync(csv)))).toBe(50_000);
    expect(await rowsOf(`${put("/a.ndjson", '{"a":1}\n{"a":2}\n')}?x=1`)).toBe(2);
    expect(await rowsOf(put("/a.xml", "<l><r><a>1</a></r><r><a>2</a></r><r><a>3</a></r></l>"))).toBe(3);
    const [segment = ""] = segmentsThen;
    put("/a.parquet", await readFile(segment));
    expect(await rowsOf(`${base}/a.parquet`)).toBe(50_000);
    const { version } = await drover.dataset("fetched");
    expect(version.source).toMatchObject({ uri: `${base}/a.parquet`, format: "parquet" });
  });

  test("tells how far its fetching is", async () => {
    const go = Promise.withResolvers<void>();
    files.set("/slow.csv", async (_, response) => {
      response.writeHead(200, { "content-length": Buffer.byteLength(csv) });
      response.write(csv.slice(0, csv.length / 2));
      await go.promise;
      response.end(csv.slice(csv.length / 2));
    });
    const load = await drover.load("slow", { uri: `${base}/slow.csv` });
    const fractions: number[] = [];
    for await (const event of load.events()) {
      if (event.type !== "progress") continue;
      const { phase, fraction = 0, bytes } = event.progress;
      if (phase === "fetching" && bytes > 0) {
        fractions.push(fraction);
        go.resolve();
      }
    }
    expect(fractions[0]).toBeGreaterThan(0);
    expect(fractions[0]).toBeLessThan(0.5);
  });

  test("is shown by its URL in errors, without what may be secret in that", async () => {
    const uri = `${put("/broken.csv", "a,b\n1,2\n3,4,5\n")}?signature=abc`;
    const error = await failure(rowsOf(uri));
    expect(error.message).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/broken\.csv\?…, line 3/);
    expect(JSON.stringify([error.message, error.metadata])).not.toContain(driver.dataDir);
    expect((await failure(rowsOf(`${base}/none.csv`))).reason).toBe("SOURCE_NOT_FOUND");
  });

  test("is previewed from its beginning", async () => {
    files.set("/endless.csv", (_, response) => {
      const more = () => {
        while (response.write(csv));
        response.once("drain", more);
      };
      more();
    });
    const found = await drover.preview({ uri: `${base}/endless.csv` });
    expect(found.columns.map(({ type }) => type)).toEqual(["BIGINT", "VARCHAR"]);
    expect([found.values.length, found.complete]).toEqual([100, false]);
    expect(requests.at(-1)?.headers.range).toMatch(/^bytes=0-\d+$/);
    expect((await drover.preview({ uri: put("/b.csv.gz", gzipSync(csv)) })).values.length).toBe(100);
  });

  test("is refused where it is too large, or on a server that is not allowed, and stops when its load is cancelled", async () => {
    expect((await failure(rowsOf(put("/large.csv", "a\n".repeat(2_000_000))))).reason).toBe("SOURCE_TOO_LARGE");
    expect((await failure(rowsOf("http://localhost:1/a.csv"))).reason).toBe("URL_NOT_ALLOWED");
    const closed = Promise.withResolvers<void>();
    files.set("/held.csv", (request, response) => {
      response.writeHead(200).write("a\n");
      request.socket.once("close", () => closed.resolve());
    });
    const load = await drover.load("held", { uri: `${base}/held.csv` });
    await expect.poll(() => requests.at(-1)?.url).toBe("/held.csv");
    await load.cancel();
    await closed.promise;
  });

  test("may take a secret by reference, which shows nowhere", async () => {
    const uri = put("/secret.csv", "a\n1\n");
    expect(await rowsOf(uri, { secret: "env:DROVER_SECRET_LAKE", headers: "x-of=me" })).toBe(1);
    expect(requests.at(-1)?.headers).toMatchObject({ authorization: `Bearer ${secret}`, "x-of": "me" });
    expect((await drover.dataset("fetched")).version.source?.options).toMatchObject({
      secret: "env:DROVER_SECRET_LAKE",
    });
    const plain = await failure(rowsOf(uri, { secret }));
    expect(plain.reason).toBe("SECRET_FORBIDDEN");
    expect(JSON.stringify([plain.message, plain.metadata, driver.log()])).not.toContain(secret);
    expect((await failure(rowsOf("/x.csv", { secret: "env:DROVER_SECRET_LAKE" }))).reason).toBe("INVALID_OPTION");
  });

  test("is loaded by the command", async () => {
    const at = ["--address", driver.address, "--token-file", join(driver.dataDir, "token")];
    expect(await runCli([...at, "load", "by-command", `${base}/a.csv`])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("50,000 rows"),
    });
  });
});
