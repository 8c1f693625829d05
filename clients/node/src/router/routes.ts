import { randomUUID } from "node:crypto";
import type { ConnectRouter } from "@connectrpc/connect";
import { type Drover, transportOf } from "../client.ts";
import { clientError } from "../errors.ts";
import { DatasetService, type ListDatasetsRequest } from "../gen/drover/v1/dataset_service_pb.js";
import { DriverService } from "../gen/drover/v1/driver_service_pb.js";
import { type Operation, OperationService } from "../gen/drover/v1/operation_service_pb.js";
import { QueryService, ResultFormat, type RunQueryRequest } from "../gen/drover/v1/query_service_pb.js";
import { reattaching } from "../query/reattach.ts";
import { type Admitted, Gate, type RouterOptions } from "./gate.ts";
import { datasetFor, errorOfQuestion, loadEventFor, operationFor, versionFor } from "./lineage.ts";
import { readablePage } from "./readable-page.ts";

/**
 * The routes of an app server that passes its users' questions on to a driver, for `connectNodeAdapter({ routes })` of
 * `@connectrpc/connect-node` and its likes. Each call is let in by `options.authorize` and made in the name of its user, with
 * this server's token, which stays here. A caller that leaves cancels its work in the driver; one that reads slowly is
 * waited for.
 *
 * Users may ask questions, read rows and see datasets unless `may` says less or more. What concerns the driver's life
 * (leases, drain, stop, the proof of identity) is not mounted at all.
 */
export function droverRoutes(drover: Drover, options: RouterOptions): (router: ConnectRouter) => void {
  const transport = transportOf(drover);
  return (router) => {
    const gate = new Gate(router, transport, options);
    mountQueries(gate);
    mountDatasets(gate);
    mountOperations(gate);
  };
}

function mountQueries(gate: Gate): void {
  const { runQuery, query, explainQuery, listRows, listValues, getStatistics } = QueryService.method;
  gate.stream(runQuery, (request, call) => {
    call.access.ask(request.question);
    // Who leaves cancels: there would be nobody to come back for it.
    if (request.reattachable)
      throw clientError("INVALID_ARGUMENT", "reattachable: queries end when their caller leaves");
    return runToCaller(request, call);
  });
  gate.unary(query, async (request, { access, transport, options }) => {
    access.ask(request.question);
    return transport.unary(query, request, options).catch(failQuestion);
  });
  gate.unary(explainQuery, async (request, { access, transport, options }) => {
    access.ask(request.question);
    return transport.unary(explainQuery, request, options).catch(failQuestion);
  });
  for (const method of [listRows, listValues, getStatistics] as const) {
    gate.unary(method as typeof listRows, async (request, { access, transport, options }) => {
      access.readFresh(request);
      return transport.unary(method as typeof listRows, request, options).catch(failQuestion);
    });
  }
}

function mountDatasets(gate: Gate): void {
  const { listDatasets, getDataset, listVersions, loadDataset, watchLoad, deleteDataset, refreshDataset } =
    DatasetService.method;
  gate.unary(listDatasets, async (request, { access, transport, options }) => {
    const list = (page: ListDatasetsRequest) => transport.unary(listDatasets, page, options);
    const { datasets, nextPageToken } = await readablePage(request, access, list);
    return { datasets: datasets.map((dataset) => datasetFor(dataset, access)), nextPageToken };
  });
  gate.unary(getDataset, async (request, { access, transport, options }) => {
    access.read(request.dataset);
    const { dataset } = await transport.unary(getDataset, request, options);
    return dataset === undefined ? {} : { dataset: datasetFor(dataset, access) };
  });
  gate.unary(listVersions, async (request, { access, transport, options }) => {
    access.read(request.dataset);
    const { versions, nextPageToken } = await transport.unary(listVersions, request, options);
    return { versions: versions.map((version) => versionFor(request.dataset, version, access)), nextPageToken };
  });
  gate.unary(loadDataset, async (request, { access, transport, options }) => {
    const { uri = "", format = "", connection = "" } = request.source ?? {};
    access.load(request.dataset, { uri, format, connection });
    return transport.unary(loadDataset, request, options);
  });
  gate.unary(refreshDataset, async (request, { access, transport, options }) => {
    access.refresh(request.dataset);
    const { operation, joined } = await transport.unary(refreshDataset, request, options);
    return { joined, ...(operation && { operation: operationFor(operation, access) }) };
  });
  gate.stream(watchLoad, async function* (request, call) {
    const watched = await ownOperation(request.operationId, call);
    for await (const response of call.transport.stream(watchLoad, request, call.options)) {
      const shown = loadEventFor(response, watched, call.access);
      if (shown !== undefined) yield shown;
    }
  });
  gate.unary(deleteDataset, async (request, { access, transport, options }) => {
    access.delete(request.dataset);
    return transport.unary(deleteDataset, request, options);
  });
}

function mountOperations(gate: Gate): void {
  const { listOperations, getOperation, cancelOperation } = OperationService.method;
  const { getDriver } = DriverService.method;
  gate.unary(listOperations, async (request, { access, transport, options }) => {
    access.operations();
    return transport.unary(listOperations, request, options);
  });
  gate.unary(getOperation, async (request, { access, transport, options }) => {
    access.operations();
    return transport.unary(getOperation, request, options);
  });
  gate.unary(cancelOperation, async (request, call) => {
    if (request.everybody) call.access.cancelForEverybody();
    await ownOperation(request.id, call);
    const { operation, others } = await call.transport.unary(cancelOperation, request, call.options);
    return { others, ...(operation && { operation: operationFor(operation, call.access) }) };
  });
  gate.unary(getDriver, async (request, { access, transport, options }) => {
    access.driver();
    return transport.unary(getDriver, request, options);
  });
}

/** Events from a driver that may be lost and replaced meanwhile: the caller sees no more of it than a frame that starts anew. */
async function* runToCaller(request: RunQueryRequest, { access, transport, options, context }: Admitted) {
  const operationId = request.operationId || randomUUID();
  // Leaving must not cancel what another user runs under the id that this one chose.
  const mayCancel = request.operationId === "" ? undefined : access.isOwn.bind(access);
  // The driver would take the protocol between it and this server for the browser's.
  const format = request.format || defaultFormat(context.requestHeader);
  const asked = { ...request, operationId, format };
  try {
    for await (const response of reattaching(transport, asked, { ...options, mayCancel })) {
      response.eventId = 0n;
      yield response;
    }
  } catch (error) {
    failQuestion(error);
  }
}

function failQuestion(error: unknown): never {
  throw errorOfQuestion(error);
}

async function ownOperation(id: string, { access, transport, options }: Admitted): Promise<Operation> {
  const { operation } = await transport.unary(OperationService.method.getOperation, { id }, options);
  return access.own(operation, id);
}

function defaultFormat(headers: Headers): ResultFormat {
  const isJson = (headers.get("content-type") ?? "application/json").includes("json");
  return isJson ? ResultFormat.ROWS : ResultFormat.ARROW;
}
