import { request as httpRequest } from "node:http";
import { connect as connectSocket } from "node:net";
import type { Message } from "@bufbuild/protobuf";
import { ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Channel } from "../../clients/node/src/transport/channel.ts";
import { openClient } from "../../clients/node/src/transport/open-client.ts";
import { DriverError } from "../../src/errors/driver-error.ts";
import type { LoadDatasetRequest } from "../../src/gen/drover/v1/dataset_service_pb.js";
import { ErrorInfoSchema } from "../../src/gen/google/rpc/error_details_pb.js";
import type { ClientStreamHandler } from "../../src/rpc/service.ts";
import {
  CollectService,
  collected,
  collectMethod,
  type StreamServer,
  startStreamServer,
} from "../helpers/stream-server.ts";

const MAX_REQUEST_BYTES = 64 * 1024;

type Handler = ClientStreamHandler<Message, Message>;
interface Item {
  readonly dataset: string;
  readonly source?: { readonly uri: string; readonly options?: Record<string, string> };
}
type Collect = (items: AsyncIterable<Item>, options?: { timeoutMs?: number; signal?: AbortSignal }) => Promise<unknown>;

let server: StreamServer;
let channel: Channel;
let handler: Handler;
/** What the test's latest call made its handler end with. */
let ended: Promise<unknown> | undefined;

const count: Handler = async (requests) => {
  let taken = 0;
  let last = "";
  for await (const message of requests) {
    taken++;
    last = (message as LoadDatasetRequest).dataset;
  }
  return collected({ taken, last });
};

/** Takes a stream for whole only if it says so. */
const whole: Handler = async (requests) => {
  for await (const message of requests) {
    if ((message as LoadDatasetRequest).dataset === "the end") return collected({ taken: 1, last: "" });
  }
  throw new DriverError("INVALID_REQUEST", "the end is missing");
};

beforeAll(async () => {
  server = await startStreamServer(
    () => (requests, call) => {
      const result = Promise.resolve(handler(requests, call));
      ended = result.then(
        () => "answered",
        (error: unknown) => (error instanceof DriverError ? error.reason : error),
      );
      return result;
    },
    { maxRequestBytes: MAX_REQUEST_BYTES },
  );
  channel = new Channel(openClient(server.address, {}), server.address, server.token);
});

beforeEach(() => {
  handler = count;
  ended = undefined;
});

afterAll(async () => {
  await channel[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

function item(dataset: string, bytes = 0): Item {
  return { dataset, source: { uri: "x", ...(bytes > 0 && { options: { text: "x".repeat(bytes) } }) } };
}

async function* items(number: number, bytes = 0): AsyncGenerator<Item> {
  for (let index = 1; index <= number; index++) yield item(`d${index}`, bytes);
}

function overConnect(
  make: (options: { baseUrl: string; httpVersion: "1.1"; useBinaryFormat: boolean }) => Transport,
  json = false,
): Collect {
  return (sent, options) => {
    const client = createClient(
      CollectService,
      make({ baseUrl: `http://${server.address}`, httpVersion: "1.1", useBinaryFormat: !json }),
    );
    const headers = { authorization: `Bearer ${server.token}` };
    return client.collect(sent, { headers, ...options }) as Promise<unknown>;
  };
}

const ways: readonly (readonly [string, Collect])[] = [
  ["gRPC", (sent, options) => channel.clientStream(collectMethod, sent, options ?? {})],
  ["Connect in JSON", overConnect(createConnectTransport, true)],
  ["Connect in binary", overConnect(createConnectTransport)],
  ["gRPC-Web", overConnect(createGrpcWebTransport)],
];

/** The reason of an error, whichever client it comes from. */
function reasonOf(error: unknown): unknown {
  if (error instanceof ConnectError) return error.findDetails(ErrorInfoSchema)[0]?.reason ?? error.code;
  return (error as { reason?: string }).reason ?? error;
}

async function failure(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => "answered",
    (error: unknown) => reasonOf(error),
  );
}

describe.each(ways)("a client's stream over %s", (_name, collect) => {
  test("is taken message by message and gets one answer", async () => {
    expect(await collect(items(500))).toMatchObject({ taken: 500, last: "d500" });
    expect(await collect(items(0))).toMatchObject({ taken: 0, last: "" });
  });

  test("is read as fast as its handler takes it and no faster", async () => {
    let sent = 0;
    async function* counted() {
      for await (const each of items(400, 16_000)) {
        sent++;
        yield each;
      }
    }
    const go = Promise.withResolvers<void>();
    handler = async (requests, call) => {
      await go.promise;
      return count(requests, call);
    };
    const answer = collect(counted());
    // What buffers of both ends and the kernel hold; then it stands still.
    let before = -1;
    await expect
      .poll(
        () => {
          const still = sent > 0 && sent === before;
          before = sent;
          return still;
        },
        { interval: 300 },
      )
      .toBe(true);
    expect(sent).toBeLessThan(390);
    go.resolve();
    expect(await answer).toMatchObject({ taken: 400 });
  });

  test("has each message checked", async () => {
    async function* bad() {
      yield item("good");
      yield item("not / good");
      yield item("never");
    }
    expect(await failure(collect(bad()))).toBe("INVALID_REQUEST");
    expect(await ended).toBe("INVALID_REQUEST");
  });

  test("may not have a message above the limit, and may have more than that in all", async () => {
    expect(await collect(items(10, MAX_REQUEST_BYTES - 1_000))).toMatchObject({ taken: 10 });
    async function* large() {
      yield item("good");
      yield item("large", MAX_REQUEST_BYTES);
      yield item("never");
    }
    expect(await failure(collect(large()))).toBe("REQUEST_TOO_LARGE");
    expect(await ended).toBe("REQUEST_TOO_LARGE");
  });

  test("is answered before its end where the handler needs no more of it", async () => {
    handler = async (requests) => {
      for await (const message of requests) {
        return collected({ taken: 1, last: (message as LoadDatasetRequest).dataset });
      }
      throw new Error("no message");
    };
    expect(await collect(items(100, 16_000))).toMatchObject({ taken: 1, last: "d1" });
  });

  test("is told what its handler fails with, though it goes on sending", async () => {
    handler = async () => {
      throw new DriverError("DATASET_NOT_FOUND", "there is none");
    };
    expect(await failure(collect(items(100, 16_000)))).toBe("DATASET_NOT_FOUND");
  });

  test("ends at its deadline, in the handler too", async () => {
    handler = whole;
    async function* slow() {
      yield item("d1");
      await new Promise(() => {});
    }
    // Long enough for it to reach the handler first.
    const reason = await failure(collect(slow(), { timeoutMs: 3_000 }));
    expect(["DEADLINE_EXCEEDED", 4]).toContain(reason);
    expect(["DEADLINE_EXCEEDED", "CANCELLED", "INVALID_REQUEST"]).toContain(await ended);
  });

  test("ends when its client cancels", async () => {
    handler = whole;
    const leave = new AbortController();
    async function* cancelled() {
      yield item("d1");
      await expect.poll(() => ended !== undefined).toBe(true);
      leave.abort();
      await new Promise(() => {});
    }
    expect([1, "ABORTED", "CANCELLED"]).toContain(await failure(collect(cancelled(), { signal: leave.signal })));
    expect(["CANCELLED", "INVALID_REQUEST"]).toContain(await ended);
  });

  test("that breaks off with its client's error is no whole stream to its handler", async () => {
    handler = whole;
    async function* broken() {
      yield* items(3);
      await expect.poll(() => ended !== undefined).toBe(true);
      throw new Error("the disk is gone");
    }
    await expect(collect(broken())).rejects.toThrow("the disk is gone");
    expect(["CANCELLED", "INVALID_REQUEST"]).toContain(await ended);
  });
});

describe("streams", () => {
  test.each(["/drover.test.CollectService/Collect"])("%s without the token is refused", async (path) => {
    const response = await fetch(`http://${server.address}${path}`, {
      method: "POST",
      headers: { "content-type": "application/connect+json" },
      body: Buffer.from([0, 0, 0, 0, 2, 0x7b, 0x7d]),
    });
    expect(await response.text()).toContain("UNAUTHENTICATED");
    const stranger = new Channel(openClient(server.address, {}), server.address, "wrong");
    expect(await failure(stranger.clientStream(collectMethod, items(3), {}))).toBe("UNAUTHENTICATED");
    await stranger[Symbol.asyncDispose]();
  });

  test("over HTTP/1.1 are refused where envelopes are broken", async () => {
    const post = async (...parts: Buffer[]) => {
      const response = await fetch(`http://${server.address}/drover.test.CollectService/Collect`, {
        method: "POST",
        headers: { "content-type": "application/connect+json", authorization: `Bearer ${server.token}` },
        body: Buffer.concat(parts),
      });
      return response.text();
    };
    const message = Buffer.from('{"dataset":"d","source":{"uri":"x"}}');
    const head = Buffer.from([0, 0, 0, 0, message.length]);
    expect(await post(head, message, head, message)).toContain('"taken":2');
    expect(await post(head, message, head.subarray(0, 3))).toContain("the stream ends in the middle of a message");
    expect(await post(head, message, head, message.subarray(1))).toContain("ends in the middle of a message");
    expect(await post(Buffer.from([2, 0, 0, 0, 0]))).toContain("an envelope has the flags 2");
    expect(await post(Buffer.from([1, 0, 0, 0, 1, 0x7b]))).toContain("a message is compressed by identity");
    expect(await post(Buffer.from([0, 0, 0, 0, 1, 0x7b]))).toContain("INVALID_REQUEST");
    const misspelt = Buffer.from('{"datasett":"d"}');
    expect(await post(Buffer.from([0, 0, 0, 0, misspelt.length]), misspelt)).toContain("did you mean");
    expect(await ended).toBe("INVALID_REQUEST");
  });

  test("whose client vanishes in the middle are cancelled", async () => {
    const message = Buffer.from('{"dataset":"d","source":{"uri":"x"}}');
    const begun = Promise.withResolvers<void>();
    handler = async (requests) => {
      for await (const _ of requests) begun.resolve();
      return collected({ taken: 0, last: "" });
    };
    const request = httpRequest(`http://${server.address}/drover.test.CollectService/Collect`, {
      method: "POST",
      headers: { "content-type": "application/connect+json", authorization: `Bearer ${server.token}` },
    });
    request.on("error", () => {});
    request.write(Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]));
    await begun.promise;
    request.destroy();
    expect(await ended).toBe("CANCELLED");
  });

  test("that are under way are waited for by a driver that stops, and aborted with its reason", async () => {
    const begun = Promise.withResolvers<void>();
    handler = async (requests) => {
      for await (const _ of requests) begun.resolve();
      return collected({ taken: 0, last: "" });
    };
    async function* open() {
      yield item("d1");
      await new Promise(() => {});
    }
    const answer = failure(channel.clientStream(collectMethod, open(), {}));
    await begun.promise;
    const soon = AbortSignal.timeout(100);
    await server.rpc.workDone({ signal: soon });
    expect(soon.aborted).toBe(true);
    await server.rpc.abortCalls(new DriverError("DRIVER_STOPPED", "it stops"), { signal: AbortSignal.timeout(5_000) });
    expect(await answer).toBe("DRIVER_STOPPED");
    expect(await ended).toBe("DRIVER_STOPPED");
  });

  test("leave a connection fit for the next request", async () => {
    const socket = connectSocket(Number(server.address.split(":")[1]), "127.0.0.1");
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk;
    });
    const message = Buffer.from('{"dataset":"d","source":{"uri":"x"}}');
    const body = Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]);
    const head = `POST /drover.test.CollectService/Collect HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${server.token}\r\ncontent-type: application/connect+json\r\ncontent-length: ${body.length}\r\n\r\n`;
    socket.write(Buffer.concat([Buffer.from(head), body]));
    await expect.poll(() => text.split('"taken":1').length).toBe(2);
    socket.write(Buffer.concat([Buffer.from(head), body]));
    await expect.poll(() => text.split('"taken":1').length).toBe(3);
    socket.destroy();
  });
});
