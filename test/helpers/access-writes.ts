import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  AppendFormat,
  type AppendRowsRequestSchema,
  DatasetService,
  StorageLevel,
} from "../../src/gen/drover/v1/dataset_service_pb.js";
import { changing, everything, making, type Row, reading, row } from "./access-expectations.ts";
import { ownDataset, PASTED, SALES } from "./access-scene.ts";

const dataset = DatasetService.method;

const kept = { dataset: () => "sales-kept" };

/** What changes datasets, each another one. */
export const writes: readonly Row[] = [
  row(dataset.loadDataset, "loader", {
    about: making,
    dataset: (caller) => `sales-made-${caller.name}`,
    request: ({ dataset }) => ({ dataset, source: PASTED }),
  }),
  row(
    dataset.appendRows,
    "loader",
    { about: making, dataset: () => "sales-appended", request: ({ dataset }) => rowsFor(dataset) },
    {
      about: making,
      dataset: (caller) => `sales-new-${caller.name}`,
      request: ({ dataset }) => rowsFor(dataset, { create: [{ name: "region", type: "VARCHAR" }] }),
    },
  ),
  row(dataset.getAppend, "loader", {
    about: reading,
    dataset: () => "sales-appended",
    request: ({ dataset }) => ({ dataset, appendId: "x" }),
  }),
  row(dataset.refreshDataset, "loader", {
    about: changing,
    dataset: () => "sales-refreshed",
    request: ({ dataset }) => ({ dataset }),
  }),
  row(dataset.refreshDueDatasets, "loader", { about: everything, request: () => ({}) }),
  row(dataset.setSchedule, "loader", {
    ...kept,
    about: changing,
    request: ({ dataset }) => ({
      dataset,
      schedule: { kind: { case: "every" as const, value: { seconds: 86_400n } } },
    }),
  }),
  row(dataset.rollbackDataset, "loader", {
    ...kept,
    about: changing,
    request: ({ dataset }) => ({ dataset, version: 1n }),
  }),
  row(dataset.setStorageLevel, "loader", {
    ...kept,
    about: changing,
    request: ({ dataset }) => ({ dataset, storageLevel: StorageLevel.DISK }),
  }),
  row(dataset.deleteDataset, "loader", {
    about: changing,
    // Who may not change anything is asked about what nobody may lose.
    dataset: (caller) => (changing.refusal(caller) === undefined ? ownDataset(caller.name) : SALES),
    request: ({ dataset }) => ({ dataset }),
  }),
];

function rowsFor(
  dataset: string,
  more: { readonly create?: { name: string; type: string }[] } = {},
): MessageInitShape<typeof AppendRowsRequestSchema>[] {
  const start = { dataset, appendId: "x", format: AppendFormat.JSON, ...more };
  return [
    { part: { case: "start", value: start } },
    { part: { case: "json", value: Buffer.from('{"region":"EU"}\n') } },
    { part: { case: "end", value: {} } },
  ];
}
