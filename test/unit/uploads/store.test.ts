import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Catalog, openCatalog } from "../../../src/catalog/catalog.ts";
import { claimInstance, type Instance } from "../../../src/catalog/instance.ts";
import type { UploadBegin, UploadPart, Uploads } from "../../../src/uploads/model.ts";
import { openUploads, uploadsFolder } from "../../../src/uploads/store.ts";
import type { UploadLimits } from "../../../src/uploads/upload-space.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";

const limits: UploadLimits = {
  maxBytes: 1_000_000,
  quotaBytes: 3_000_000,
  minFreeBytes: 0,
  unfinishedAgeMs: 60_000,
  retentionMs: 60_000,
};
const data = randomBytes(300_000);
const sha256 = hash(data);
const { signal } = new AbortController();

let stack: AsyncDisposableStack;
let dataDirectory: string;
let first: Peer;

interface Peer {
  readonly uploads: Uploads;
  readonly catalog: Catalog;
  readonly instance: Instance;
}

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  dataDirectory = join(stack.use(await temporaryFolder()).path, "data");
  await mkdir(dataDirectory);
  first = await peer("first");
});

afterEach(() => stack.disposeAsync());

/** One of the driver processes that share the data directory, as far as uploads are concerned. */
async function peer(id: string): Promise<Peer> {
  const instance = stack.use(await claimInstance({ dataDirectory, id }));
  const catalog = stack.use(await openCatalog({ dataDirectory, instance }));
  const isAlive = (other: string) => instance.isAlive(other);
  const uploads = await openUploads({ dataDirectory, instanceId: id, catalog: catalog.uploads, isAlive, limits });
  return { uploads, catalog, instance };
}

function hash(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function begin(more: Partial<UploadBegin> = {}): UploadBegin {
  return {
    id: "u",
    name: "a.csv",
    format: "",
    size: undefined,
    sha256: undefined,
    offset: 0,
    requestedBy: "me",
    ...more,
  };
}

/** Bytes in pieces, and the end unless it breaks off. */
async function* sent(
  bytes: Uint8Array,
  end: { sha256?: string | undefined } | "cut" | "throw" = {},
): AsyncGenerator<UploadPart> {
  for (let at = 0; at < bytes.length; at += 7_919) yield { type: "bytes", bytes: bytes.subarray(at, at + 7_919) };
  if (end === "throw") throw new Error("the connection is gone");
  if (end !== "cut") yield { type: "end", sha256: end.sha256 };
}

async function bytesOf(uploads: Uploads, id = "u"): Promise<Buffer> {
  return readFile((await uploads.use(id)).path);
}

function files(): Promise<string[]> {
  return readdir(uploadsFolder(dataDirectory));
}

describe("an upload", () => {
  it("is a verified file that only its owner reads, under a name of the driver's own", async () => {
    const name = "../../etc/passwd.NDJSON.gz";
    const info = await first.uploads.receive(begin({ name, size: data.length, sha256 }), sent(data));
    expect(info).toMatchObject({ id: "u", uri: "upload:u", name, finished: true, receivedBytes: 300_000, sha256 });
    const { path } = await first.uploads.use("u");
    expect(path).toMatch(/\/uploads\/[0-9a-f-]{36}\.ndjson\.gz$/);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await readFile(path)).equals(data)).toBe(true);
  });

  it("may say size and hash at its end only, or no hash at all", async () => {
    await first.uploads.receive(begin(), sent(data, { sha256 }));
    expect(await first.uploads.get("u")).toMatchObject({ finished: true, size: 300_000, sha256 });
    await first.uploads.receive(begin({ id: "v" }), sent(data));
    expect(await first.uploads.get("v")).toMatchObject({ finished: true, sha256 });
  });

  it.each([
    ["nothing", 0],
    ["one byte", 1],
    ["a piece", 7_919],
    ["some bytes", 123_456],
    ["all but the last byte", 299_999],
    ["all bytes, without the end", 300_000],
  ])("goes on after %s, in another process too", async (_case, cut) => {
    const announced = { size: data.length, sha256 };
    for (const end of ["cut", "throw"] as const) {
      const id = `u-${end}`;
      const broken = first.uploads.receive(begin({ ...announced, id }), sent(data.subarray(0, cut), end));
      await expect(broken).rejects.toThrow(end === "cut" ? /without saying that this was all/ : "gone");
      const second = end === "cut" ? first : await peer("second");
      const { receivedBytes, finished } = await second.uploads.get(id);
      expect([receivedBytes, finished]).toEqual([cut, false]);
      await expect(second.uploads.use(id)).rejects.toMatchObject({ reason: "UPLOAD_INCOMPLETE" });
      await second.uploads.receive(begin({ ...announced, id, offset: cut }), sent(data.subarray(cut)));
      expect((await bytesOf(second.uploads, id)).equals(data)).toBe(true);
    }
  });

  it("is answered at once where it is there already", async () => {
    const announced = { size: data.length, sha256 };
    await first.uploads.receive(begin(announced), sent(data));
    const again = await first.uploads.receive(begin(announced), sent(new Uint8Array(), "throw"));
    expect(again).toMatchObject({ finished: true, receivedBytes: 300_000 });
  });
});

describe("an upload is refused", () => {
  it("from another place than where it is", async () => {
    await first.uploads.receive(begin(), sent(data.subarray(0, 1_000), "cut")).catch(() => undefined);
    for (const offset of [0, 999, 1_001, 5_000]) {
      const wrong = first.uploads.receive(begin({ offset }), sent(data.subarray(offset)));
      await expect(wrong).rejects.toMatchObject({ reason: "UPLOAD_OFFSET", metadata: { receivedBytes: "1000" } });
    }
    expect((await first.uploads.get("u")).receivedBytes).toBe(1_000);
  });

  it("under an id that another file has, finished or not", async () => {
    await first.uploads.receive(begin({ size: 5_000 }), sent(data.subarray(0, 1_000), "cut")).catch(() => undefined);
    const other = first.uploads.receive(begin({ size: 6_000, offset: 1_000 }), sent(data));
    await expect(other).rejects.toMatchObject({ reason: "UPLOAD_EXISTS" });
    await first.uploads.receive(begin({ size: 5_000, offset: 1_000 }), sent(data.subarray(1_000, 5_000)));
    const late = first.uploads.receive(begin({ size: 5_000, sha256 }), sent(data.subarray(0, 5_000)));
    await expect(late).rejects.toMatchObject({ reason: "UPLOAD_EXISTS" });
    expect((await bytesOf(first.uploads)).equals(data.subarray(0, 5_000))).toBe(true);
  });

  it.each(["begin", "end"])("with another hash than the one of its %s, and leaves nothing", async (place) => {
    const wrong = hash(Buffer.from("something else"));
    const announced = place === "begin" ? { sha256: wrong } : {};
    const parts = sent(data, place === "end" ? { sha256: wrong } : {});
    await expect(first.uploads.receive(begin(announced), parts)).rejects.toMatchObject({ reason: "UPLOAD_DAMAGED" });
    await expect(first.uploads.get("u")).rejects.toMatchObject({ reason: "UPLOAD_NOT_FOUND" });
    expect(await files()).toEqual([]);
  });

  it("with more or fewer bytes than announced", async () => {
    const more = first.uploads.receive(begin({ size: 1_000 }), sent(data));
    await expect(more).rejects.toMatchObject({ reason: "UPLOAD_INCOMPLETE" });
    const fewer = first.uploads.receive(begin({ id: "v", size: 300_001 }), sent(data));
    await expect(fewer).rejects.toThrow("300000 bytes have come of 300001");
  });

  it("above the limit, announced or not, and leaves nothing", async () => {
    for (const size of [1_000_001, undefined]) {
      const large = first.uploads.receive(begin({ size }), sent(Buffer.alloc(1_000_001)));
      await expect(large).rejects.toMatchObject({ reason: "UPLOAD_TOO_LARGE", metadata: { maxBytes: "1000000" } });
      expect(await files()).toEqual([]);
    }
  });

  it("beyond the quota of all uploads, and can go on when there is room", async () => {
    for (const id of ["a", "b", "c"]) await first.uploads.receive(begin({ id }), sent(Buffer.alloc(950_000)));
    const beyond = first.uploads.receive(begin({ size: data.length }), sent(data));
    await expect(beyond).rejects.toMatchObject({ reason: "QUOTA_EXCEEDED" });
    // One that does not say its size is looked at while it comes, and at its end.
    await expect(first.uploads.receive(begin({ id: "w" }), sent(data))).rejects.toMatchObject({
      reason: "QUOTA_EXCEEDED",
    });
    expect((await first.uploads.get("w")).finished).toBe(false);
    await first.uploads.remove("w");
    await first.uploads.remove("a");
    await first.uploads.receive(begin({ size: data.length }), sent(data));
    expect((await bytesOf(first.uploads)).equals(data)).toBe(true);
  });
});

describe("two calls that send one upload", () => {
  /** Brings the first 1,000 bytes, and nothing more. */
  function stallingUpload() {
    const { promise: stalled, resolve } = Promise.withResolvers<void>();
    async function* stalling(): AsyncGenerator<UploadPart> {
      yield { type: "bytes", bytes: data.subarray(0, 1_000) };
      resolve();
      await new Promise(() => {});
    }
    return { stalling, stalled };
  }

  it("to one process: the later one goes on, the earlier one ends", async () => {
    const { stalling, stalled } = stallingUpload();
    const earlier = first.uploads.receive(begin(), stalling());
    const ended = expect(earlier).rejects.toMatchObject({ reason: "UPLOAD_TAKEN_OVER" });
    await stalled;
    await first.uploads.receive(begin({ offset: 1_000 }), sent(data.subarray(1_000)));
    await ended;
    expect((await bytesOf(first.uploads)).equals(data)).toBe(true);
  });

  it("to one process, several at once: one of them goes on, and no byte comes twice", async () => {
    const { stalling, stalled } = stallingUpload();
    const earlier = first.uploads.receive(begin(), stalling());
    await stalled;
    const rest = () => first.uploads.receive(begin({ offset: 1_000 }), sent(data.subarray(1_000)));
    const outcomes = await Promise.allSettled([earlier, rest(), rest(), rest()]);
    expect(outcomes.filter(({ status }) => status === "fulfilled").length).toBeLessThanOrEqual(1);
    const { receivedBytes: offset, finished } = await first.uploads.get("u");
    if (!finished) await first.uploads.receive(begin({ offset }), sent(data.subarray(offset)));
    expect((await bytesOf(first.uploads)).equals(data)).toBe(true);
  });

  it("to two processes, one of which is taken for dead: bytes of both are no file", async () => {
    const stalled = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    async function* slow(): AsyncGenerator<UploadPart> {
      yield { type: "bytes", bytes: data.subarray(0, 1_000) };
      stalled.resolve();
      await go.promise;
      yield* sent(data.subarray(1_000));
    }
    const earlier = first.uploads.receive(begin(), slow());
    await stalled.promise;
    const second = await peer("second");
    await first.instance[Symbol.asyncDispose]();
    await second.uploads.receive(begin({ offset: 1_000 }), sent(data.subarray(1_000, 2_000), "cut")).catch(() => {});
    go.resolve();
    await expect(earlier).rejects.toMatchObject({ reason: "UPLOAD_DAMAGED" });
    await expect(second.uploads.get("u")).rejects.toMatchObject({ reason: "UPLOAD_NOT_FOUND" });
    expect(await files()).toEqual([]);
  });

  it("to two processes: the second one is told to wait while the first one lives", async () => {
    const stalled = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    async function* stalling(): AsyncGenerator<UploadPart> {
      yield { type: "bytes", bytes: data.subarray(0, 1_000) };
      stalled.resolve();
      await go.promise;
    }
    const earlier = first.uploads.receive(begin(), stalling()).catch(() => undefined);
    await stalled.promise;
    const second = await peer("second");
    const later = () => second.uploads.receive(begin({ offset: 1_000 }), sent(data.subarray(1_000)));
    await expect(later()).rejects.toMatchObject({ reason: "UPLOAD_BUSY" });
    await expect(second.uploads.remove("u")).rejects.toMatchObject({ reason: "UPLOAD_BUSY" });
    // Its process dies: the lock is gone, its record stays.
    await first.instance[Symbol.asyncDispose]();
    await later();
    expect((await bytesOf(second.uploads)).equals(data)).toBe(true);
    go.resolve();
    await earlier;
  });
});

describe("a text that was pasted", () => {
  const keep = (text: string) => first.uploads.keepText(text, { requestedBy: "me", signal });

  it("is one upload however often it is pasted at once", async () => {
    const kept = await Promise.all([keep("a,b\n1,2\n"), keep("a,b\n1,2\n"), keep("a,b\n1,2\n"), keep("a\n")]);
    expect(new Set(kept.map(({ id }) => id)).size).toBe(2);
    expect(String(await bytesOf(first.uploads, kept[0]?.id))).toBe("a,b\n1,2\n");
    expect((await first.uploads.list()).length).toBe(2);
  });

  it("has the name of what it looks like", async () => {
    const names = await Promise.all(["\uFEFF <a/>", '\n[{"a":1}]', '{"a":1}', "a;b"].map(keep));
    expect(names.map(({ name }) => name)).toEqual(["text.xml", "text.json", "text.json", "text.csv"]);
  });
});

describe("looking through uploads", () => {
  const none = async () => new Set<string>();
  const age = async ({ catalog }: Peer, id: string) => {
    // What time would do, done to the record and the file.
    const record = await catalog.uploads.find(id);
    const past = Date.now() - 120_000;
    const { DatabaseSync } = await import("node:sqlite");
    const database = new DatabaseSync(join(dataDirectory, "catalog.sqlite"));
    database.prepare("UPDATE uploads SET use_time = ? WHERE id = ?").run(past, id);
    database.close();
    await utimes(join(uploadsFolder(dataDirectory), record?.file ?? ""), past / 1_000, past / 1_000).catch(() => {});
  };

  it("removes what nobody has used for long, unless something refers to it", async () => {
    for (const id of ["old", "referred", "fresh"]) await first.uploads.receive(begin({ id }), sent(data));
    await age(first, "old");
    await age(first, "referred");
    await first.uploads.sweep(async () => new Set(["referred"]));
    expect((await first.uploads.list()).map(({ id }) => id)).toEqual(["fresh", "referred"]);
    expect((await files()).length).toBe(2);
  });

  it("removes what nobody finishes, but nothing that is being sent", async () => {
    for (const id of ["left", "new"]) {
      await first.uploads.receive(begin({ id }), sent(data.subarray(0, 1_000), "cut")).catch(() => undefined);
    }
    const go = Promise.withResolvers<void>();
    async function* slow(): AsyncGenerator<UploadPart> {
      yield { type: "bytes", bytes: data };
      await go.promise;
      yield { type: "end", sha256 };
    }
    const sending = first.uploads.receive(begin({ id: "sending" }), slow());
    await expect
      .poll(async () => (await first.uploads.get("sending").catch(() => undefined))?.receivedBytes)
      .toBe(300_000);
    await age(first, "left");
    await age(first, "sending");
    await first.uploads.sweep(none);
    expect((await first.uploads.list()).map(({ id }) => id)).toEqual(["new", "sending"]);
    go.resolve();
    expect(await sending).toMatchObject({ finished: true });
  });

  it("removes files of its own that have no record, and no others", async () => {
    const folder = uploadsFolder(dataDirectory);
    const names = ["00000000-0000-4000-8000-000000000000.csv", "notes.txt"];
    for (const name of names) await writeFile(join(folder, name), "x");
    await first.uploads.sweep(none);
    expect((await files()).sort()).toEqual(names);
    for (const name of names) await utimes(join(folder, name), 1, 1);
    await first.uploads.sweep(none);
    expect(await files()).toEqual(["notes.txt"]);
  });
});

describe("the beginning of an upload", () => {
  it("is not waited for where nobody sends any more", async () => {
    await first.uploads.receive(begin(), sent(data.subarray(0, 1_000), "cut")).catch(() => undefined);
    await expect(first.uploads.useBeginning("u", 64_000, { signal, patienceMs: 50 })).rejects.toMatchObject({
      reason: "UPLOAD_INCOMPLETE",
      metadata: { receivedBytes: "1000" },
    });
  });

  it("can be read as soon as it is there, and a short file when it is finished", async () => {
    const go = Promise.withResolvers<void>();
    const seen = Promise.withResolvers<void>();
    async function* slow(): AsyncGenerator<UploadPart> {
      yield { type: "bytes", bytes: data.subarray(0, 10_000) };
      await go.promise;
      yield { type: "bytes", bytes: data.subarray(10_000, 100_000) };
      await seen.promise;
      yield { type: "end", sha256: undefined };
    }
    const sending = first.uploads.receive(begin(), slow());
    await expect.poll(() => first.uploads.get("u").catch(() => undefined)).toBeDefined();
    const beginning = first.uploads.useBeginning("u", 64_000, { signal });
    const short = first.uploads.useBeginning("u", 500_000, { signal });
    go.resolve();
    expect(await beginning).toMatchObject({ finished: false, receivedBytes: 100_000 });
    seen.resolve();
    expect(await short).toMatchObject({ finished: true, receivedBytes: 100_000 });
    await sending;
    await expect(first.uploads.useBeginning("none", 1, { signal })).rejects.toMatchObject({
      reason: "UPLOAD_NOT_FOUND",
    });
  });
});
