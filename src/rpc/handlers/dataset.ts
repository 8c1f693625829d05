import { create } from "@bufbuild/protobuf";
import type { Access } from "../../access/model.ts";
import { requireChangeable, requireUnbounded, requireWritable } from "../../access/require.ts";
import { type ScopedDatasets, type SeenDataset, scopedDatasets } from "../../access/scoped-datasets.ts";
import { isWhole, seenOperation } from "../../access/seen-operation.ts";
import type { DatasetStore } from "../../datasets/model.ts";
import { DriverError } from "../../errors/driver-error.ts";
import {
  DatasetService,
  DeleteDatasetResponseSchema,
  type ExportDatasetResponse,
  GetDatasetResponseSchema,
  ListDatasetsResponseSchema,
  ListVersionsResponseSchema,
  LoadDatasetResponseSchema,
  RefreshDatasetResponseSchema,
  type RefreshDueDatasetsResponse,
  RefreshDueDatasetsResponseSchema,
  RefreshMode,
  RollbackDatasetResponseSchema,
  SetScheduleResponseSchema,
  SetStorageLevelResponseSchema,
  type WatchLoadResponse,
} from "../../gen/drover/v1/dataset_service_pb.js";
import type { AppendService } from "../../loading/append/model.ts";
import type { LoadService } from "../../loading/model.ts";
import type { RefreshService } from "../../loading/refresh/model.ts";
import type { Scheduler } from "../../loading/refresh/scheduler.ts";
import type { OperationSnapshot, Operations } from "../../operations/model.ts";
import type { Whose } from "../../operations/owner.ts";
import type { Uploads } from "../../uploads/model.ts";
import { fromDataset, fromVersion, toStorageLevel } from "../mapping/datasets.ts";
import { toFilter } from "../mapping/filters.ts";
import { fromLoadEvent } from "../mapping/load-events.ts";
import { fromOperation } from "../mapping/operations.ts";
import { pageOf, pageSize } from "../mapping/pages.ts";
import { fromRefreshStatus, toIncrement, toSchedule } from "../mapping/refresh.ts";
import { toWantedRows } from "../mapping/row-filters.ts";
import { toCount } from "../mapping/values.ts";
import { type BoundMethod, bindService } from "../service.ts";
import { toStatus } from "../status.ts";
import { appendHandlers } from "./append.ts";
import { type ExportOptions, exported } from "./export.ts";
import { sourceSpec } from "./source-spec.ts";

export interface DatasetHandlerParts extends ExportOptions {
  readonly datasets: DatasetStore;
  readonly loads: LoadService;
  readonly operations: Operations;
  readonly uploads: Pick<Uploads, "of">;
  readonly appends: AppendService;
  readonly refresh: RefreshService;
  readonly scheduler: Pick<Scheduler, "runDue">;
}

const PAGE = { fallback: 100, max: 1_000 };

export function datasetService({
  datasets,
  loads,
  operations,
  uploads,
  appends,
  refresh,
  scheduler,
  ...exporting
}: DatasetHandlerParts): readonly BoundMethod[] {
  const seenBy = (access: Access) => scopedDatasets(datasets, access);
  const detailed = async (info: SeenDataset) => {
    // What a refresh has met with may quote the rows.
    if (info.current.partial) return fromDataset(info, { columns: true });
    const [status, freshTime] = [await refresh.status(info), await refresh.freshTime(info)];
    return { ...fromDataset(info, { columns: true }), refresh: fromRefreshStatus(status, freshTime) };
  };
  return bindService(
    DatasetService,
    {
      roles: {
        loadDataset: "loader",
        watchLoad: "loader",
        getDataset: "reader",
        listDatasets: "reader",
        deleteDataset: "loader",
        refreshDataset: "loader",
        refreshDueDatasets: "loader",
        setSchedule: "loader",
        rollbackDataset: "loader",
        setStorageLevel: "loader",
        exportDataset: "reader",
        listVersions: "reader",
        appendRows: "loader",
        getAppend: "loader",
      },
      sources: ["loadDataset"],
      work: [
        "loadDataset",
        "deleteDataset",
        "rollbackDataset",
        "setStorageLevel",
        "refreshDataset",
        "refreshDueDatasets",
        "setSchedule",
        "exportDataset",
        "appendRows",
      ],
      awaited: ["watchLoad"],
    },
    {
      ...appendHandlers(appends),
      loadDataset: async ({ dataset, source, operationId, labels, filter, limit, increment }, call) => {
        requireWritable(call.access, dataset);
        const wanted = toWantedRows({ filter, limit });
        const rule = toIncrement(increment);
        const request = {
          dataset,
          source: { ...(await sourceSpec(source, uploads, call)), ...wanted },
          ...(operationId && { operationId }),
          ...(rule && { increment: rule }),
          labels,
          requestedBy: call.requestedBy,
          whose: call.access,
          caller: call.turn,
        };
        // An earlier process may have done or begun it.
        if (operationId) await operations.recall(operationId);
        const { operation, joined } = await loads.load(request);
        call.operationId = operation.id;
        return create(LoadDatasetResponseSchema, {
          operation: fromOperation(seenOperation(operation, call.access)),
          joined,
        });
      },
      async *watchLoad({ operationId }, call): AsyncGenerator<WatchLoadResponse> {
        call.operationId = operationId;
        await operations.recall(operationId);
        requireLoad(operations, operationId, call.access);
        let accepted = false;
        for await (const event of operations.watch(operationId, { signal: call.signal })) {
          // Later states are told by the progress's phase and by the end.
          if (event.type === "state" && accepted) continue;
          accepted = true;
          // Progress counts rows, and warnings quote them.
          const isStep = event.type === "progress" || event.type === "warning";
          if (isStep && !call.access.unbounded && !isWhole(operations.get(operationId), call.access)) continue;
          // Another driver may have brought what it ends with.
          if (event.type === "ended") await datasets.refresh();
          yield fromLoadEvent(event, call.access, (operation) => loadedDataset(seenBy(call.access), operation));
        }
      },
      getDataset: async ({ dataset }, { access }) => {
        await datasets.refresh();
        return create(GetDatasetResponseSchema, { dataset: await detailed(seenBy(access).get(dataset)) });
      },
      listDatasets: async ({ pageSize: asked, pageToken, labels }, { access }) => {
        await datasets.refresh();
        const all = seenBy(access).list({ labels });
        const { items, nextPageToken } = pageOf(all, ({ name }) => name, {
          size: pageSize(asked, PAGE),
          token: pageToken,
          request: ["datasets", Object.entries(labels).sort(), access.scopeHash],
        });
        return create(ListDatasetsResponseSchema, {
          datasets: items.map((dataset) => fromDataset(dataset, { columns: false })),
          nextPageToken,
        });
      },
      deleteDataset: async ({ dataset }, { access }) => {
        requireChangeable(access, dataset);
        await datasets.delete(dataset);
        return create(DeleteDatasetResponseSchema, {});
      },
      refreshDataset: async ({ dataset, mode, increment, operationId }, call) => {
        requireChangeable(call.access, dataset);
        const rule = toIncrement(increment);
        const wanted = toMode(mode);
        const { operation, joined } = await refresh.refresh({
          ...{ dataset, requestedBy: call.requestedBy, whose: call.access, caller: call.turn },
          ...(operationId && { operationId }),
          ...(rule && { increment: rule }),
          ...(wanted && { mode: wanted }),
        });
        call.operationId = operation.id;
        return create(RefreshDatasetResponseSchema, {
          operation: fromOperation(seenOperation(operation, call.access)),
          joined,
        });
      },
      async *refreshDueDatasets(_request, { signal, access }): AsyncGenerator<RefreshDueDatasetsResponse> {
        requireUnbounded(access);
        for await (const { dataset, operation, error } of scheduler.runDue({ signal })) {
          yield create(RefreshDueDatasetsResponseSchema, {
            dataset,
            ...(operation && { operation: fromOperation(operation) }),
            ...(error && { error: toStatus(error) }),
          });
        }
      },
      setSchedule: async ({ dataset, schedule }, { access }) => {
        requireChangeable(access, dataset);
        const info = await refresh.setSchedule(dataset, toSchedule(schedule));
        return create(SetScheduleResponseSchema, { dataset: await detailed(info) });
      },
      rollbackDataset: async ({ dataset, version }, { signal, access }) => {
        requireChangeable(access, dataset);
        const restored = await datasets.rollback(dataset, toCount(version), { signal });
        await refresh.noteRestored(restored);
        return create(RollbackDatasetResponseSchema, { dataset: fromDataset(restored, { columns: true }) });
      },
      setStorageLevel: async ({ dataset, storageLevel }, { signal, access }) => {
        requireChangeable(access, dataset);
        const found = await datasets.setStorageLevel(dataset, toStorageLevel(storageLevel), { signal });
        return create(SetStorageLevelResponseSchema, { dataset: fromDataset(found, { columns: true }) });
      },
      async *exportDataset({ version, filter, limit, ...request }, call): AsyncGenerator<ExportDatasetResponse> {
        const { dataset, columns } = request;
        const numbers = { version: toCount(version), limit: toCount(limit) };
        const rows = { dataset, columns, ...numbers, ...(filter && { filter: toFilter(filter, "filter") }) };
        for await (const event of exported(exporting, { kind: "dataset", ...rows }, request, call))
          yield { $typeName: "drover.v1.ExportDatasetResponse", event };
      },
      listVersions: async ({ dataset, pageSize: asked, pageToken }, { access }) => {
        const { items, nextPageToken } = pageOf(await seenBy(access).versions(dataset), ({ number }) => -number, {
          size: pageSize(asked, PAGE),
          token: pageToken,
          request: ["versions", dataset, access.scopeHash],
        });
        return create(ListVersionsResponseSchema, { versions: items.map(fromVersion), nextPageToken });
      },
    },
  );
}

function toMode(mode: RefreshMode): "full" | "incremental" | undefined {
  if (mode === RefreshMode.FULL) return "full";
  return mode === RefreshMode.INCREMENTAL ? "incremental" : undefined;
}

function requireLoad(operations: Operations, id: string, asker: Whose): void {
  if (operations.get(id, asker).kind === "load") return;
  throw new DriverError("OPERATION_NOT_FOUND", `operation "${id}" is no load`, { metadata: { operation: id } });
}

/** The dataset of a load that succeeded; it may be gone by now. */
function loadedDataset(datasets: ScopedDatasets, { state, dataset }: OperationSnapshot): SeenDataset | undefined {
  if (state !== "succeeded") return undefined;
  return datasets.list({ labels: {} }).find(({ name }) => name === dataset);
}
