import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isUrlRule, requireAllowedUrl } from "../../../src/sources/http/allowed-urls.ts";
import { type Downloaded, type DownloadOptions, download } from "../../../src/sources/http/download.ts";
import { httpSettings } from "../../../src/sources/http/options.ts";
import { makeCertificate } from "../../helpers/certificates.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";

const data = randomBytes(400_000);

type Answer = (request: IncomingMessage, response: ServerResponse, call: number) => void;

let stack: AsyncDisposableStack;
let directory: string;
let requests: IncomingMessage[];

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  directory = stack.use(await temporaryFolder()).path;
  requests = [];
});

afterEach(() => stack.disposeAsync());

async function listen(server: Server, answer: Answer): Promise<string> {
  server.on("request", (request, response) => {
    requests.push(request);
    answer(request, response, requests.length);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stack.defer(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const serve = async (answer: Answer) => `http://${await listen(createServer(), answer)}/a.csv`;

function fetched(url: string, more: Partial<DownloadOptions> = {}): Promise<Downloaded> {
  return download(new URL(url), {
    ...{
      directory,
      headers: {},
      authorization: undefined,
      allowed: undefined,
      maxBytes: 1e9,
      timeoutMs: 5_000,
      pauseMs: 1,
    },
    signal: AbortSignal.timeout(30_000),
    ...more,
  });
}

async function fetchedBytes(url: string): Promise<Buffer> {
  return readFile((await fetched(url)).path);
}

/** The place from which a request wants the file. */
function rangeStart({ headers }: IncomingMessage): number {
  return Number(/^bytes=(\d+)-/.exec(headers.range ?? "")?.[1] ?? 0);
}

/** Answers like a server that knows ranges, up to `end` and no further. */
function part(request: IncomingMessage, response: ServerResponse, end = data.length, etag = '"1"', body = data): void {
  const start = rangeStart(request);
  const whole = start === 0 || request.headers["if-range"] !== etag;
  const range = { "content-range": `bytes ${start}-${body.length - 1}/${body.length}` };
  const length = { "content-length": body.length - (whole ? 0 : start) };
  response.writeHead(whole ? 200 : 206, { etag, ...length, ...(whole ? {} : range) });
  if (end >= body.length) response.end(body.subarray(whole ? 0 : start));
  else response.write(body.subarray(whole ? 0 : start, end), () => response.socket?.end());
}

describe("a file that is fetched", () => {
  it("is the server's, with the ending of its name and its compression", async () => {
    const cases: [path: string, headers: Record<string, string>, ending: string][] = [
      ["/x.CSV?sig=s.gz", {}, ".csv"],
      ["/../../x.csv.gz", {}, ".csv.gz"],
      ["/x.csv", { "content-type": "application/gzip; a=b" }, ".csv.gz"],
      ["/x.ndjson", { "content-encoding": "zstd" }, ".ndjson.zst"],
      ["/x.csv.gz", { "content-encoding": "gzip" }, ".csv.gz"],
      ["/download", {}, ""],
    ];
    for (const [path, headers, ending] of cases) {
      const base = await listen(createServer(), (_, response) => response.writeHead(200, headers).end(data));
      const own = stack.use(await temporaryFolder());
      const found = await fetched(`http://${base}${path}`, { directory: own.path });
      expect([path, found.path.slice(own.path.length)]).toEqual([path, `/fetched${ending}`]);
      expect((await readFile(found.path)).equals(data)).toBe(true);
    }
  });

  it("goes on where its connection broke, again and again", async () => {
    // What came just before the break may be lost with it.
    const ends = [150_000, 150_000, 250_000, 399_999];
    const url = await serve((request, response, call) => part(request, response, ends[call - 1]));
    expect((await fetchedBytes(url)).equals(data)).toBe(true);
    const starts = requests.map(rangeStart);
    expect(starts).toEqual(starts.toSorted((one, other) => one - other));
    expect(starts.at(-1)).toBeGreaterThan(150_000);
    expect(requests.at(-1)?.headers["if-range"]).toBe('"1"');
  });

  it("begins again where the server ignores ranges or says nothing to tell the file by", async () => {
    for (const headers of [{ etag: '"1"' }, {}]) {
      requests = [];
      const url = await serve((_, response, call) => {
        response.writeHead(200, { ...headers, "content-length": data.length });
        if (call > 2) response.end(data);
        else response.write(data.subarray(0, call * 100_000), () => response.socket?.end());
      });
      const own = stack.use(await temporaryFolder());
      const { path } = await fetched(url, { directory: own.path });
      expect((await readFile(path)).equals(data)).toBe(true);
      expect(requests.length).toBe(3);
    }
  });

  it("may come without a length, from a server that is busy at first, through redirects", async () => {
    const url = await serve((request, response, call) => {
      if (call === 1) response.writeHead(503).end();
      else if (request.url === "/a.csv") response.writeHead(302, { location: "/b/../c.csv" }).end("moved");
      else response.end(data);
    });
    expect((await fetchedBytes(url)).equals(data)).toBe(true);
    expect(requests.map(({ url }) => url)).toEqual(["/a.csv", "/a.csv", "/c.csv"]);
  });

  it("may be its beginning only", async () => {
    for (const ranges of [true, false]) {
      const url = await serve((_, response) => {
        const known = { "content-range": `bytes 0-9999/${data.length}` };
        response.writeHead(ranges ? 206 : 200, ranges ? known : {}).end(data.subarray(0, ranges ? 10_000 : undefined));
      });
      const own = stack.use(await temporaryFolder());
      const found = await fetched(url, { beginningBytes: 10_000, directory: own.path });
      expect(found).toMatchObject({ bytes: 10_000, partial: true });
      expect((await readFile(found.path)).equals(data.subarray(0, 10_000))).toBe(true);
    }
    const short = await serve((_, response) => response.end("a\n1\n"));
    expect(await fetched(short, { beginningBytes: 10_000 })).toMatchObject({ bytes: 4, partial: false });
  });
});

describe("a file that can't be fetched", () => {
  it.each([
    ["404", 404, "SOURCE_NOT_FOUND", 1],
    ["403", 403, "SOURCE_ACCESS_DENIED", 1],
    ["500 whenever it is asked", 500, "SOURCE_FETCH_FAILED", 5],
    ["418", 418, "SOURCE_UNREADABLE", 1],
  ])("since its server says %s has that as its reason", async (_case, status, reason, calls) => {
    const url = await serve((_, response) => response.writeHead(status).end("no"));
    await expect(fetched(`${url}?signature=secret`)).rejects.toMatchObject({
      reason,
      message: expect.not.stringContaining("secret"),
      metadata: { status: String(status) },
    });
    expect(requests.length).toBe(calls);
  });

  it.each([
    ["another tag", '"2"', data],
    ["another length", '"1"', data.subarray(0, 350_000)],
  ])("as one file, since it changed meanwhile (%s), is SOURCE_CHANGED", async (_case, etag, body) => {
    const url = await serve((request, response, call) =>
      call === 1 ? part(request, response, 200_000) : part(request, response, body.length, etag, body),
    );
    await expect(fetched(url)).rejects.toMatchObject({ reason: "SOURCE_CHANGED" });
  });

  it("since it is shorter now is SOURCE_CHANGED", async () => {
    const url = await serve((request, response, call) =>
      call === 1 ? part(request, response, 200_000) : response.writeHead(416).end(),
    );
    await expect(fetched(url)).rejects.toMatchObject({ reason: "SOURCE_CHANGED" });
  });

  it("since it is empty says so, when only its beginning was asked for", async () => {
    const url = await serve((request, response) =>
      request.headers.range === undefined ? response.end() : response.writeHead(416).end(),
    );
    await expect(fetched(url, { beginningBytes: 10 })).rejects.toMatchObject({ reason: "EMPTY_SOURCE" });
  });

  it("since its server never sends what it has promised says how far it came", async () => {
    const url = await serve((_, response) => {
      response.writeHead(200, { "content-length": data.length, etag: '"1"', "accept-ranges": "none" });
      response.write(data.subarray(0, 200_000), () => response.socket?.end());
    });
    const failed = fetched(url);
    await expect(failed).rejects.toMatchObject({
      reason: "SOURCE_FETCH_FAILED",
      message: expect.stringMatching(/after \d{5,} bytes$/),
    });
    expect(requests.length).toBeGreaterThanOrEqual(6);
  });

  it("since its server sends more than the file has is refused", async () => {
    const url = await serve((request, response, call) => {
      if (call === 1) return part(request, response, 200_000);
      const rest = Buffer.concat([data.subarray(rangeStart(request)), Buffer.from("more")]);
      const range = `bytes ${rangeStart(request)}-${data.length - 1}/${data.length}`;
      response.writeHead(206, { etag: '"1"', "content-range": range, "content-length": rest.length }).end(rest);
    });
    await expect(fetched(url)).rejects.toMatchObject({
      reason: "SOURCE_UNREADABLE",
      message: expect.stringContaining("400004 bytes of a file that has 400000"),
    });
  });

  it("since its server is silent ends at the time limit, and at once when it is cancelled", async () => {
    const url = await serve((_, response) => void response.writeHead(200).write("a"));
    const silent = fetched(url, { timeoutMs: 20 });
    await expect(silent).rejects.toMatchObject({
      reason: "SOURCE_FETCH_FAILED",
      message: expect.stringContaining("nothing for 0.02 s"),
    });
    const leave = new AbortController();
    const own = stack.use(await temporaryFolder());
    const left = fetched(url, { signal: leave.signal, timeoutMs: 60_000, directory: own.path });
    await expect.poll(() => readdir(own.path)).toEqual(["fetched.csv"]);
    leave.abort(new Error("enough"));
    await expect(left).rejects.toThrow("enough");
  });

  it("since it is too large is refused before or while it comes", async () => {
    for (const headers of [{ "content-length": data.length }, {}]) {
      const url = await serve((_, response) => response.writeHead(200, headers).end(data));
      const own = stack.use(await temporaryFolder());
      const large = fetched(url, { maxBytes: 399_999, directory: own.path });
      await expect(large).rejects.toMatchObject({ reason: "SOURCE_TOO_LARGE" });
    }
  });

  it("since its server's certificate is nobody's is refused at once", async () => {
    const { cert, key } = makeCertificate("nobody");
    const place = await listen(createTlsServer({ cert, key }), (_, response) => response.end(data));
    await expect(fetched(`https://${place}/a.csv`)).rejects.toMatchObject({
      reason: "SOURCE_FETCH_FAILED",
      message: expect.stringContaining("self-signed certificate"),
    });
    expect(requests.length).toBe(0);
  });
});

describe("where the driver may fetch from", () => {
  it("holds for redirects too, which get no Authorization of another server's", async () => {
    const inside = await serve((_, response) => response.end(data));
    const open = await serve((request, response) => {
      const target = request.url === "/away.csv" ? inside : "/b.csv";
      response.writeHead(request.url === "/b.csv" ? 200 : 302, { location: target }).end(data);
    });
    const allowed = [new URL(open).origin];
    const away = fetched(open.replace("a.csv", "away.csv"), { allowed });
    await expect(away).rejects.toMatchObject({
      reason: "URL_NOT_ALLOWED",
      metadata: { origin: new URL(inside).origin },
    });
    requests = [];
    await fetched(open, { allowed, authorization: "Bearer t" });
    expect(requests.map(({ headers }) => headers.authorization)).toEqual(["Bearer t", "Bearer t"]);
    requests = [];
    const own = stack.use(await temporaryFolder());
    await fetched(open.replace("a.csv", "away.csv"), { authorization: "Bearer t", directory: own.path });
    expect(requests.map(({ headers }) => headers.authorization)).toEqual(["Bearer t", undefined]);
  });

  it.each(["file:///etc/passwd", "http://user:pass@localhost/", "gopher://x/"])(
    "is never %s by a redirect",
    async (location) => {
      const url = await serve((_, response) => response.writeHead(302, { location }).end());
      await expect(fetched(url)).rejects.toMatchObject({ reason: "URL_NOT_ALLOWED" });
    },
  );

  it("is not left for ever by redirects in a circle", async () => {
    const url = await serve((_, response) => response.writeHead(302, { location: "/a.csv" }).end());
    await expect(fetched(url)).rejects.toMatchObject({ reason: "URL_NOT_ALLOWED" });
    expect(requests.length).toBe(6);
  });

  it.each([
    ["https://a.example", ["https://a.example"], true],
    ["https://a.example:443/x", ["https://A.example/"], true],
    ["https://a.example:444/x", ["https://a.example"], false],
    ["http://a.example", ["https://a.example"], false],
    ["https://b.a.example", ["https://*.a.example"], true],
    ["https://a.example", ["https://*.a.example"], false],
    ["https://eviltarget-a.example", ["https://*.a.example"], false],
    ["https://a.example.evil", ["https://a.example"], false],
    ["http://[::1]:8080/x", ["http://[::1]:8080"], true],
    ["http://169.254.169.254/", ["*"], true],
    ["http://x/", [], false],
  ])("%s with %j: %s", (url, rules, allowed) => {
    const check = () => requireAllowedUrl(new URL(url), rules);
    if (allowed) expect(check).not.toThrow();
    else expect(check).toThrow(expect.objectContaining({ reason: "URL_NOT_ALLOWED" }));
    for (const rule of rules) expect(isUrlRule(rule)).toBe(true);
  });

  it("is told by origins only", () => {
    for (const rule of ["example.com", "https://a/b", "ftp://a", "https://a*", "https://"])
      expect(isUrlRule(rule)).toBe(false);
  });
});

describe("options of http(s) sources", () => {
  it.each([
    ["https://u@x/a.csv", {}, "INVALID_SOURCE"],
    ["https://x:99999/a.csv", {}, "INVALID_SOURCE"],
    ["/a.csv", { timeout: 5 }, "INVALID_OPTION"],
    ["/a.csv", { secret: "env:DROVER_SECRET_X" }, "INVALID_OPTION"],
    ["https://x/a.csv", { timeout: 0 }, "INVALID_OPTION"],
    ["https://x/a.csv", { headers: "Authorization=x" }, "INVALID_OPTION"],
    ["https://x/a.csv", { headers: { "a b": "x" } }, "INVALID_OPTION"],
    ["https://x/a.csv", { headers: { a: "x\r\nb: c" } }, "INVALID_OPTION"],
  ])("%s with %j is %s", (uri, options, reason) => {
    expect(() => httpSettings(uri, options)).toThrow(expect.objectContaining({ reason }));
  });

  it("say headers and the time of silence", () => {
    const settings = httpSettings("HTTPS://x/a.csv", { headers: "accept=text/csv", timeout: "5", delimiter: ";" });
    expect(settings).toEqual({ headers: { accept: "text/csv" }, timeoutMs: 5_000 });
  });
});
