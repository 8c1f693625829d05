import { once } from "node:events";
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { ConnectError, createConnectRouter } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { Metadata, status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { fromConnectError } from "../src/browser/connect-error.ts";
import { createDroverClient } from "../src/browser/index.ts";
import { OperationService } from "../src/gen/drover/v1/operation_service_pb.js";
import { QueryService } from "../src/gen/drover/v1/query_service_pb.js";
import { connect, DroverError } from "../src/index.ts";
import { droverRoutes } from "../src/router/index.ts";
import { FaultPeer } from "./fault-peer.ts";
import { startAppServer, type TestAppServer } from "./router-peer.ts";

const authorize = () => ({ user: "ann" });
const question = { aggregate: { dataset: "d" } };
const waitMs = 20_000;

/** A driver whose query never ends and that writes as fast as it is read; it tells when it was left and told to cancel. */
function endlessPeer() {
  const state = {
    batches: 0,
    stop: false,
    left: Promise.withResolvers<void>(),
    cancelled: Promise.withResolvers<string>(),
  };
  const values = [create(ValueSchema, { kind: { case: "stringValue", value: "x".repeat(1000) } })];
  const rows = Array.from({ length: 1000 }, () => ({ values }));
  const peer = new FaultPeer()
    .stream(QueryService.method.runQuery, (stream, { operationId }) => {
      stream.once("cancelled", () => {
        state.stop = true;
        state.left.resolve();
      });
      stream.write({ event: { case: "accepted", value: { operationId } }, eventId: 1n } as never);
      stream.write({
        event: { case: "frameStart", value: { frameId: 1n, exact: true, columns: [{ name: "x" }] } },
        eventId: 2n,
      } as never);
      const write = () => {
        while (!state.stop) {
          state.batches += 1;
          const value = { frameId: 1n, seq: BigInt(state.batches), rows };
          const event = { event: { case: "frameBatch", value }, eventId: BigInt(state.batches + 2) };
          if (!stream.write(event as never)) return void stream.once("drain", write);
        }
      };
      write();
    })
    .unary(OperationService.method.getOperation, ({ id }) => ({ operation: { id, requestedBy: "ann" } }))
    .unary(OperationService.method.cancelOperation, ({ id }) => {
      state.cancelled.resolve(id);
      return {};
    });
  return { peer, state };
}

/** RunQuery's request as Connect carries it. */
function requestEnvelope(operationId = "slow"): Buffer {
  const message = Buffer.from(JSON.stringify({ question, operationId }));
  const envelope = Buffer.alloc(5);
  envelope.writeUInt32BE(message.length, 1);
  return Buffer.concat([envelope, message]);
}

/** Asks for a stream as a browser does and gives the bare answer, to be read or not. */
async function openStream(app: TestAppServer): Promise<{ request: ClientRequest; response: IncomingMessage }> {
  const request = httpRequest(`${app.url}/drover.v1.QueryService/RunQuery`, {
    method: "POST",
    headers: { "content-type": "application/connect+json" },
  });
  request.on("error", () => {});
  request.end(requestEnvelope());
  const [response] = (await once(request, "response")) as [IncomingMessage];
  response.on("error", () => {});
  return { request, response };
}

/** Waits until a number stands still for a while; throws if it never does. */
async function standstill(read: () => number): Promise<number> {
  const end = Date.now() + waitMs;
  for (let last = -1, still = 0; Date.now() < end; await delay(100)) {
    const now = read();
    still = now === last ? still + 1 : 0;
    last = now;
    if (still === 5) return now;
  }
  throw new Error("it never stood still");
}

describe("a caller who reads slowly", () => {
  test("is waited for by the driver, and gets on when reading on", async () => {
    const { peer, state } = endlessPeer();
    await using _peer = await peer.listen();
    await using app = await startAppServer(peer.address, { authorize });
    const { request, response } = await openStream(app);
    const held = await standstill(() => state.batches);
    expect(held).toBeGreaterThan(0);
    response.resume();
    await expect.poll(() => state.batches, { timeout: waitMs }).toBeGreaterThan(held + 10);
    response.pause();
    await standstill(() => state.batches);
    request.destroy();
    await state.left.promise;
  });

  test("and leaves without having read on leaves no query behind", async () => {
    const { peer, state } = endlessPeer();
    await using _peer = await peer.listen();
    await using app = await startAppServer(peer.address, { authorize });
    const { request } = await openStream(app);
    await standstill(() => state.batches);
    request.destroy();
    await state.left.promise;
    expect(await state.cancelled.promise).toBe("slow");
  });
});

describe("a caller who leaves", () => {
  test("cancels the query also under a web framework that neither asks for more nor says that it will not", async () => {
    const { peer, state } = endlessPeer();
    await using _peer = await peer.listen();
    await using drover = await connect(peer);
    const router = createConnectRouter();
    droverRoutes(drover, { authorize })(router);
    const handler = router.handlers.find(({ method }) => method.name === "RunQuery");
    const leave = new AbortController();
    const answer = await handler?.({
      httpVersion: "1.1",
      method: "POST",
      url: "http://localhost/drover.v1.QueryService/RunQuery",
      header: new Headers({ "content-type": "application/connect+json" }),
      body: (async function* () {
        yield requestEnvelope();
      })(),
      signal: leave.signal,
    });
    const body = answer?.body as AsyncIterable<Uint8Array>;
    await body[Symbol.asyncIterator]().next();
    leave.abort();
    await state.left.promise;
    expect(await state.cancelled.promise).toBe("slow");
  });

  test("in the middle of an answer cancels the query", async () => {
    const { peer, state } = endlessPeer();
    await using _peer = await peer.listen();
    await using app = await startAppServer(peer.address, { authorize });
    for await (const event of createDroverClient({ baseUrl: app.url }).query("d", {}).stream())
      if (event.type === "batch") break;
    await state.left.promise;
    await state.cancelled.promise;
  });

  test("leaves alone what another user runs under the id that it chose", async () => {
    const asked = Promise.withResolvers<void>();
    const looked = Promise.withResolvers<void>();
    const cancelled: string[] = [];
    await using peer = await new FaultPeer()
      .stream(QueryService.method.runQuery, () => asked.resolve())
      .unary(OperationService.method.getOperation, ({ id }) => {
        looked.resolve();
        return { operation: { id, requestedBy: "bob" } };
      })
      .unary(OperationService.method.cancelOperation, ({ id }) => {
        cancelled.push(id);
        return {};
      })
      .listen();
    await using app = await startAppServer(peer.address, { authorize });
    const leave = new AbortController();
    const asking = fetch(`${app.url}/drover.v1.QueryService/RunQuery`, {
      method: "POST",
      headers: { "content-type": "application/connect+json" },
      body: requestEnvelope("bob's"),
      signal: leave.signal,
    });
    await asked.promise;
    leave.abort();
    await expect(asking).rejects.toThrow();
    await looked.promise;
    await app.drover.close();
    expect(cancelled).toEqual([]);
  });

  test("by a signal is told so and cancels the query", async () => {
    const { peer, state } = endlessPeer();
    await using _peer = await peer.listen();
    await using app = await startAppServer(peer.address, { authorize });
    const leave = new AbortController();
    const query = createDroverClient({ baseUrl: app.url }).query("d", {}, { signal: leave.signal });
    const read = async () => {
      for await (const event of query.stream()) if (event.type === "batch") leave.abort();
    };
    await expect(read()).rejects.toMatchObject({ reason: "CANCELLED" });
    await state.left.promise;
    await state.cancelled.promise;
  });

  test("cancels a call that has no stream as well", async () => {
    const left = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    await using peer = await new FaultPeer()
      .unary(QueryService.method.query, async (_, call) => {
        call.once("cancelled", () => left.resolve());
        arrived.resolve();
        await left.promise;
        return {};
      })
      .listen();
    await using app = await startAppServer(peer.address, { authorize });
    const leave = new AbortController();
    const body = JSON.stringify({ question });
    const headers = { "content-type": "application/json" };
    const asked = fetch(`${app.url}/drover.v1.QueryService/Query`, {
      method: "POST",
      headers,
      body,
      signal: leave.signal,
    });
    await arrived.promise;
    leave.abort();
    await expect(asked).rejects.toThrow();
    await left.promise;
  });
});

describe("a deadline", () => {
  test("of the caller is the driver's too, and ends the stream with its reason", async () => {
    const { peer, state } = endlessPeer();
    await using _peer = await peer.listen();
    await using app = await startAppServer(peer.address, { authorize });
    const query = createDroverClient({ baseUrl: app.url }).query("d", {}, { timeoutMs: 3_000 });
    const read = async () => {
      for await (const event of query.stream()) if (event.type === "completed") return;
    };
    await expect(read()).rejects.toMatchObject({ reason: "DEADLINE_EXCEEDED", code: status.DEADLINE_EXCEEDED });
    await state.left.promise;
  });

  test("goes along with a unary call", async () => {
    let deadlineMs = 0;
    await using peer = await new FaultPeer()
      .unary(QueryService.method.query, (_, call) => {
        deadlineMs = Number(call.getDeadline());
        return {};
      })
      .listen();
    await using app = await startAppServer(peer.address, { authorize });
    const transport = createConnectTransport({ baseUrl: app.url, httpVersion: "1.1" });
    const latest = Date.now() + 12_345;
    await transport.unary(
      QueryService.method.query,
      undefined,
      12_345,
      {},
      { question: { kind: { case: "aggregate", value: { dataset: "d" } } } },
    );
    expect(deadlineMs).toBeGreaterThan(latest - 12_345);
    expect(deadlineMs).toBeLessThan(latest + 5_000);
  });
});

describe("an error", () => {
  const transportOf = (app: TestAppServer) => createConnectTransport({ baseUrl: app.url, httpVersion: "1.1" });
  const ask = (app: TestAppServer) =>
    transportOf(app)
      .unary(
        QueryService.method.query,
        undefined,
        5000,
        {},
        { question: { kind: { case: "aggregate", value: { dataset: "d" } } } },
      )
      .then(
        () => Promise.reject(new Error("it did not fail")),
        (error: unknown) => ({ raw: ConnectError.from(error), drover: fromConnectError(error, false) }),
      );

  test("about the driver's whereabouts is told to the app server, and its caller hears no address", async () => {
    const peer = await new FaultPeer().listen();
    const told: unknown[] = [];
    await using app = await startAppServer(peer.address, { authorize, onError: (error) => told.push(error) });
    await peer[Symbol.asyncDispose]();
    const { raw, drover } = await ask(app);
    expect(drover).toMatchObject({ reason: "UNREACHABLE", retryable: true, help: "Try again in a moment." });
    expect(JSON.stringify(raw) + raw.message).not.toContain(peer.address);
    expect(told).toHaveLength(1);
    expect((told[0] as DroverError).message).toContain(peer.address);
  });

  test("about this server's token is none of its caller's login", async () => {
    await using peer = await new FaultPeer()
      .unary(QueryService.method.query, () => {
        throw Object.assign(new Error("the token is wrong"), {
          code: status.UNAUTHENTICATED,
          metadata: new Metadata(),
        });
      })
      .listen();
    const told: unknown[] = [];
    await using app = await startAppServer(peer.address, { authorize, onError: (error) => told.push(error) });
    const { drover } = await ask(app);
    expect(drover).toMatchObject({ reason: "UNAUTHENTICATED", code: status.INTERNAL });
    expect(drover.message).not.toContain("token");
    expect(told).toHaveLength(1);
  });

  test("of a predicate fails the call and stays here", async () => {
    await using peer = await new FaultPeer().unary(QueryService.method.query, () => ({})).listen();
    const told: unknown[] = [];
    const may = {
      read: () => {
        throw new TypeError("undefined is no function at /srv/app.js");
      },
    };
    await using app = await startAppServer(peer.address, {
      authorize: () => ({ user: "ann", may }),
      onError: (error) => told.push(error),
    });
    const { raw, drover } = await ask(app);
    expect(drover).toBeInstanceOf(DroverError);
    expect(drover.code).toBe(status.INTERNAL);
    expect(raw.message).not.toContain("/srv/app.js");
    expect(told).toHaveLength(1);
  });

  test("of an app server that is gone is UNREACHABLE, and one in the middle STREAM_CUT", async () => {
    const { peer } = endlessPeer();
    await using _peer = await peer.listen();
    const app = await startAppServer(peer.address, { authorize });
    const client = createDroverClient({ baseUrl: app.url });
    const read = async () => {
      for await (const event of client.query("d", {}).stream())
        if (event.type === "batch") await app[Symbol.asyncDispose]();
    };
    await expect(read()).rejects.toMatchObject({ reason: "STREAM_CUT", retryable: true });
    await expect(client.query("d", {}).rows()).rejects.toMatchObject({ reason: "UNREACHABLE", retryable: true });
  });
});

describe("the browser client", () => {
  test("holds no more rows than it was told to", async () => {
    const { peer, state } = endlessPeer();
    await using _peer = await peer.listen();
    await using app = await startAppServer(peer.address, { authorize });
    const query = createDroverClient({ baseUrl: app.url }).query("d", {}, { maxRows: 2500 });
    await expect(query.rows()).rejects.toMatchObject({ reason: "RESULT_OVER_LIMIT", metadata: { limitRows: "2500" } });
    await state.left.promise;
    await expect(query.rows()).rejects.toMatchObject({ reason: "ALREADY_CONSUMED" });
  });
});
