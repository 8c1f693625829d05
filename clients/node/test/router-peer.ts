import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { Metadata, status } from "@grpc/grpc-js";
import { DatasetService } from "../src/gen/drover/v1/dataset_service_pb.js";
import { DriverService } from "../src/gen/drover/v1/driver_service_pb.js";
import { OperationKind, OperationService } from "../src/gen/drover/v1/operation_service_pb.js";
import { QueryService } from "../src/gen/drover/v1/query_service_pb.js";
import { ErrorInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../src/gen/google/rpc/status_pb.js";
import { connect, type Drover } from "../src/index.ts";
import { droverRoutes, type RouterOptions } from "../src/router/index.ts";
import { FaultPeer } from "./fault-peer.ts";

export const serverToken = "server-secret";

/** A call that reached the driver's side. */
export interface SeenCall {
  readonly method: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly request: unknown;
}

export const lineage = { uri: "/secret/place/flights.csv", format: "csv" };
const libraries = { setName: "secret-set", packages: [{ name: "secret-package", version: "1.2.3" }] };
const version = { number: 1n, source: lineage, libraries, warnings: ["/secret/place/flights.csv: widened"] };
const datasets = ["d", "hidden", "hidden-too", "z"].map((name) => ({ name, version }));

/** Stands for a driver whose every method answers, and tells which calls reached it. */
export function recordingPeer(seen: SeenCall[]): FaultPeer {
  const note = (method: string, request: unknown, metadata: Metadata) => {
    seen.push({ method, headers: metadata.getMap(), request });
  };
  const peer = new FaultPeer();
  for (const service of [QueryService, DatasetService, OperationService, DriverService]) {
    for (const method of service.methods) {
      if (method.methodKind === "unary") {
        peer.unary(method, (request, call) => {
          note(method.name, request, call.metadata);
          return answers[method.name]?.(request as never) ?? {};
        });
      } else {
        peer.stream(method, (stream, request) => {
          note(method.name, request, stream.metadata);
          for (const event of loadEvents[method.name] ?? []) stream.write({ event } as never);
          if (method.name === "RunQuery") {
            stream.write({ event: { case: "accepted", value: { operationId: "q" } }, eventId: 1n } as never);
            stream.write({ event: { case: "completed", value: { rows: 0n } }, eventId: 2n } as never);
          }
          stream.end();
        });
      }
    }
  }
  return peer;
}

/** Somebody's load of `d`. */
const loadOf = (id: string) => ({
  ...{ id, requestedBy: id.split(":")[0], kind: OperationKind.LOAD, dataset: "d", configuration: lineage },
  error: { code: status.NOT_FOUND, message: `there is no file ${lineage.uri}` },
});
const loadEvents: Readonly<Record<string, readonly object[]>> = {
  WatchLoad: [
    { case: "accepted", value: { operation: loadOf("refresher:1") } },
    { case: "warning", value: { message: `${lineage.uri}: widened` } },
    {
      case: "completed",
      value: { operation: loadOf("refresher:1"), dataset: datasets[0], rejectedSamples: [{ file: lineage.uri }] },
    },
  ],
};

function notFound(dataset: string, message: string, more: Readonly<Record<string, string>> = {}): Error {
  const info = create(ErrorInfoSchema, { reason: "DATASET_NOT_FOUND", metadata: { dataset, ...more } });
  const details = [anyPack(ErrorInfoSchema, info)];
  const bytes = toBinary(StatusSchema, create(StatusSchema, { code: status.NOT_FOUND, message, details }));
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(bytes));
  return Object.assign(new Error(message), { code: status.NOT_FOUND, details: message, metadata });
}

interface Asked {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly dataset: string;
  readonly nonce: Uint8Array;
  readonly pageSize: number;
  readonly pageToken: string;
}

const answers: Readonly<Record<string, (request: Asked) => Record<string, unknown>>> = {
  GetDriver: () => ({ apiVersion: "drover.v1" }),
  ProveIdentity: ({ nonce }) => ({ proof: proofOf(nonce) }),
  // As the driver's does, a page's token says what stands last on it.
  ListDatasets: ({ pageSize, pageToken }) => {
    const rest = datasets.filter(({ name }) => name > pageToken);
    const page = rest.slice(0, pageSize || rest.length);
    return { datasets: page, nextPageToken: page.length < rest.length ? page.at(-1)?.name : "" };
  },
  GetDataset: ({ dataset }) => {
    if (dataset === "Hidden") throw notFound(dataset, `there is no dataset "${dataset}"; there is "hidden"`);
    return { dataset: { name: dataset, version } };
  },
  Query: ({ labels }) => {
    if (labels.lost)
      throw notFound("d", `there is no dataset "d"; it can't be loaded again: no ${lineage.uri}`, labels);
    return {};
  },
  ListVersions: () => ({ versions: [version] }),
  RefreshDataset: () => ({ operation: loadOf("refresher:1") }),
  CancelOperation: ({ id }) => ({ operation: loadOf(id) }),
  GetOperation: ({ id }) => {
    if (id === "nobody's") throw Object.assign(new Error("gone"), { code: status.NOT_FOUND, metadata: new Metadata() });
    return { operation: loadOf(id) };
  },
};

/** As docs/lifecycle.md has it, for a driver with neither instance id nor address. */
function proofOf(nonce: Uint8Array): Uint8Array {
  return createHmac("sha256", serverToken).update("drover-driver-proof-v1\n\n\n").update(nonce).digest();
}

/** An app server that mounts the router, and nothing else. */
export interface TestAppServer extends AsyncDisposable {
  readonly url: string;
  readonly drover: Drover;
}

export async function startAppServer(address: string, options: RouterOptions, token?: string): Promise<TestAppServer> {
  const drover = await connect({ address, token });
  const server = createServer(connectNodeAdapter({ routes: droverRoutes(drover, options) })).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    drover,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await drover.close();
    },
  };
}
