import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  AppendFormat,
  type AppendRowsRequestSchema,
  DatasetService,
  StorageLevel,
} from "../../src/gen/drover/v1/dataset_service_pb.js";
import { type AttachResponse, DriverService } from "../../src/gen/drover/v1/driver_service_pb.js";
import { ExportFormat } from "../../src/gen/drover/v1/export_pb.js";
import { type ImportLibrarySetRequestSchema, LibraryService } from "../../src/gen/drover/v1/library_service_pb.js";
import { OperationService } from "../../src/gen/drover/v1/operation_service_pb.js";
import { MeasureOp } from "../../src/gen/drover/v1/query_pb.js";
import { QueryService, ResultFormat } from "../../src/gen/drover/v1/query_service_pb.js";
import { SourceService } from "../../src/gen/drover/v1/source_service_pb.js";
import { Role, TokenService } from "../../src/gen/drover/v1/token_service_pb.js";
import { UploadService } from "../../src/gen/drover/v1/upload_service_pb.js";
import type { Caller } from "./access-callers.ts";
import {
  type Ask,
  both,
  changing,
  everything,
  making,
  others,
  ownLoads,
  type Row,
  reading,
  row,
  seen,
  sources,
} from "./access-expectations.ts";
import { LEDGER_LOAD, OTHERS, ownDataset, ownLoad, ownQuery, SALES, sql, uploadOf } from "./access-scene.ts";

const dataset = DatasetService.method;
const query = QueryService.method;
const operation = OperationService.method;
const source = SourceService.method;
const upload = UploadService.method;
const library = LibraryService.method;
const token = TokenService.method;
const driver = DriverService.method;

type Place = Parameters<Ask["request"]>[0];

const ROWS = ["us", "eu", "salary", "salaryName"] as const;
const csv = { format: ExportFormat.CSV };
const named = ({ dataset }: Place) => ({ dataset });
const quoted = ({ dataset }: Place) => `"${dataset}"`;
const all = (place: Place) => ({ question: sql(`SELECT * FROM ${quoted(place)}`) });
const count = { op: MeasureOp.COUNT };
const sumOfSalaries = { op: MeasureOp.SUM, column: "salary" };
const grouped = ({ dataset }: Place, ...measures: readonly object[]) => ({
  question: {
    kind: {
      case: "aggregate" as const,
      value: { dataset, dimensions: [{ column: "region" }, { column: "note" }], measures: [...measures] },
    },
  },
});
const totalled = ({ dataset }: Place) => ({
  question: { kind: { case: "aggregate" as const, value: { dataset, measures: [count, sumOfSalaries] } } },
});
/** What a question meets that names a column which the caller does not see. */
const HIDDEN = { hidden: "UNKNOWN_COLUMN", narrowed: "UNKNOWN_COLUMN" };
const HIDDEN_IN_SQL = { hidden: "SQL_INVALID", narrowed: "SQL_INVALID" };

const own = (what: string) => (caller: Caller) => `${what}-${caller.name}`;
const madeSource = own("source");
const madeUpload = own("upload");
const madeToken = own("token");
// It says what is asked, which is no secret from the caller then.
const watchedQuery = own("of-sales-");
const uploaded = (caller: Caller) => ({ uri: `upload:${madeUpload(caller)}`, format: "csv" });
const PASTED = { text: "a\n1\n", format: "csv" };
const NOWHERE = { connection: "nowhere", uri: "" };
const kept = { dataset: () => "sales-kept" };

/** Operations come first: what has been refused later stands among them, too. The driver's end comes last. */
export const table: readonly Row[] = [
  row(operation.listOperations, "reader", { about: seen, request: () => ({ pageSize: 1000 }), shows: ["others"] }),
  row(
    operation.getOperation,
    "reader",
    { about: seen, request: ({ caller }) => ({ id: ownQuery(caller.name) }) },
    { about: others("OPERATION_NOT_FOUND"), request: () => ({ id: OTHERS }), shows: ["others"] },
    { about: others("OPERATION_NOT_FOUND"), request: () => ({ id: LEDGER_LOAD }), shows: ["ledgerName"] },
  ),
  row(
    operation.cancelOperation,
    "reader",
    { about: seen, request: ({ caller }) => ({ id: ownQuery(caller.name) }) },
    { about: others("OPERATION_NOT_FOUND"), request: () => ({ id: OTHERS }), shows: ["others"] },
    { about: others("OPERATION_NOT_FOUND"), request: () => ({ id: LEDGER_LOAD }), shows: ["ledgerName"] },
    {
      about: others("ACCESS_DENIED"),
      request: ({ caller }) => ({ id: ownQuery(caller.name), everybody: true }),
    },
  ),
  row(
    dataset.watchLoad,
    "loader",
    {
      about: ownLoads,
      request: ({ caller }) => ({ operationId: ownLoad(caller.name) }),
      shows: ["us", "salaryName", "rows"],
    },
    { about: others("OPERATION_NOT_FOUND"), request: () => ({ operationId: LEDGER_LOAD }), shows: ["ledgerName"] },
  ),

  row(dataset.getDataset, "reader", { about: reading, request: named, shows: ["salaryName", "lineage"] }),
  row(dataset.listDatasets, "reader", {
    about: seen,
    request: () => ({ pageSize: 1000 }),
    shows: ["sales", "lineage", "ledgerName"],
  }),
  row(dataset.listVersions, "reader", { about: reading, request: named, shows: ["lineage"] }),
  row(dataset.exportDataset, "reader", {
    about: reading,
    request: ({ dataset }) => ({ dataset, layout: csv }),
    shows: [...ROWS, "rows"],
  }),

  row(
    query.query,
    "reader",
    { about: reading, request: all, shows: [...ROWS, "rows"] },
    { about: reading, request: (place) => grouped(place, count), shows: ["us", "eu"] },
    { about: reading, request: totalled, shows: ["us", "rows", "salary"], endsFor: HIDDEN },
    {
      about: reading,
      request: (place) => ({ question: sql(`SELECT count(*), sum(salary) FROM ${quoted(place)}`) }),
      shows: ["us", "rows", "salary"],
      endsFor: HIDDEN_IN_SQL,
    },
    {
      // An error that would quote a value.
      about: reading,
      request: (place) => ({
        question: sql(`SELECT sum(CAST(note AS INTEGER)) FROM ${quoted(place)} WHERE note LIKE 'secret-u%'`),
      }),
      endsFor: { unbounded: "QUERY_FAILED", granted: "QUERY_FAILED", hidden: "QUERY_FAILED" },
    },
  ),
  row(
    query.runQuery,
    "reader",
    { about: reading, request: all, shows: [...ROWS, "rows"] },
    { about: reading, request: (place) => ({ ...all(place), format: ResultFormat.ROWS }), shows: [...ROWS, "rows"] },
    { about: reading, request: (place) => grouped(place, count), shows: ["us", "eu"] },
    { about: reading, request: totalled, shows: ["us", "rows", "salary"], endsFor: HIDDEN },
  ),
  row(query.watchQuery, "reader", {
    about: seen,
    before: async (caller) => {
      const request = { ...all({ caller, dataset: SALES }), operationId: watchedQuery(caller), reattachable: true };
      const events = caller.client.stream(query.runQuery, request, { headers: caller.headers });
      // Who sees no dataset has nothing to watch but why.
      await events.toArray().catch(() => undefined);
    },
    request: ({ caller }) => ({ operationId: watchedQuery(caller) }),
    endsFor: { nothing: "DATASET_NOT_FOUND" },
    shows: [...ROWS, "rows"],
  }),
  row(query.exportQuery, "reader", {
    about: reading,
    request: (place) => ({ ...all(place), layout: csv }),
    shows: [...ROWS, "rows"],
  }),
  row(
    query.explainQuery,
    "reader",
    { about: reading, request: all, shows: ["salaryName"] },
    { about: reading, request: (place) => grouped(place, count) },
    { about: reading, request: totalled, endsFor: HIDDEN },
  ),
  row(query.listRows, "reader", {
    about: reading,
    request: ({ dataset }) => ({ dataset, pageSize: 10_000 }),
    shows: ROWS,
  }),
  row(
    query.listValues,
    "reader",
    { about: reading, request: ({ dataset }) => ({ dataset, column: "note" }), shows: ["us", "eu"] },
    {
      about: reading,
      request: ({ dataset }) => ({ dataset, column: "salary" }),
      shows: ["us", "salary"],
      endsFor: HIDDEN,
    },
  ),
  row(
    query.getStatistics,
    "reader",
    { about: reading, request: named, shows: ["us", "eu", "salary", "salaryName", "rows"] },
    {
      about: reading,
      request: ({ dataset }) => ({ dataset, columns: ["salary"] }),
      shows: ["salary"],
      endsFor: HIDDEN,
    },
  ),

  row(source.listSourceKinds, "loader", { about: seen, request: () => ({}) }),
  row(source.createConnection, "admin", {
    about: seen,
    request: () => ({ connection: { name: "books", uri: "postgresql://reader@127.0.0.1:1/books" } }),
  }),
  row(source.getConnection, "admin", { about: seen, request: () => ({ name: "books" }) }),
  row(source.listConnections, "admin", { about: seen, request: () => ({}) }),
  row(source.updateConnection, "admin", {
    about: seen,
    request: () => ({ connection: { name: "books", maxStatements: 3 } }),
  }),
  row(source.deleteConnection, "admin", { about: seen, request: () => ({ name: "books" }) }),
  row(source.testConnection, "loader", {
    about: sources,
    request: () => ({ connection: { name: "nowhere" } }),
    ends: "CONNECTION_NOT_DEFINED",
  }),
  row(upload.uploadFile, "loader", { about: sources, request: ({ caller }) => uploadOf(madeUpload(caller)) }),
  row(source.createSource, "loader", {
    about: sources,
    request: ({ caller }) => ({
      source: { name: madeSource(caller), source: uploaded(caller) },
    }),
  }),
  row(source.getSource, "loader", {
    about: sources,
    request: ({ caller }) => ({ name: madeSource(caller) }),
  }),
  row(source.listSources, "loader", { about: sources, request: () => ({}) }),
  row(source.updateSource, "loader", {
    about: sources,
    request: ({ caller }) => ({ source: { name: madeSource(caller), labels: { a: "b" } } }),
  }),
  row(source.testSource, "loader", { about: sources, request: ({ caller }) => ({ source: uploaded(caller) }) }),
  row(source.previewSource, "loader", { about: sources, request: () => ({ source: PASTED }) }),
  row(source.listTables, "loader", {
    about: sources,
    request: () => ({ source: NOWHERE }),
    ends: "CONNECTION_NOT_DEFINED",
  }),
  row(source.deleteSource, "loader", { about: sources, request: ({ caller }) => ({ name: madeSource(caller) }) }),
  row(source.exportSources, "admin", { about: seen, request: () => ({}) }),
  row(source.importSources, "admin", { about: seen, request: () => ({ definitions: {} }) }),

  row(
    upload.getUpload,
    "loader",
    { about: sources, request: ({ caller }) => ({ id: madeUpload(caller) }) },
    { about: both(sources, others("UPLOAD_NOT_FOUND")), request: () => ({ id: OTHERS }) },
  ),
  row(upload.listUploads, "loader", { about: sources, request: () => ({}), shows: ["others"] }),
  row(
    upload.deleteUpload,
    "loader",
    { about: sources, request: ({ caller }) => ({ id: madeUpload(caller) }) },
    { about: both(sources, others("UPLOAD_NOT_FOUND")), request: () => ({ id: OTHERS }) },
  ),

  row(library.createLibrarySet, "admin", {
    about: seen,
    request: () => ({ name: "set", packages: [{ name: "pg", version: "^8" }] }),
    ends: "PACKAGE_VERSION_INEXACT",
  }),
  row(library.getLibrarySet, "admin", {
    about: seen,
    request: () => ({ name: "set" }),
    ends: "LIBRARY_SET_NOT_FOUND",
  }),
  row(library.checkLibrarySet, "admin", {
    about: seen,
    request: () => ({ name: "set" }),
    ends: "LIBRARY_SET_NOT_FOUND",
  }),
  row(library.listLibrarySets, "admin", { about: seen, request: () => ({}) }),
  row(library.deleteLibrarySet, "admin", {
    about: seen,
    request: () => ({ name: "set" }),
    ends: "LIBRARY_SET_NOT_FOUND",
  }),
  row(library.exportLibrarySet, "admin", {
    about: seen,
    request: () => ({ name: "set" }),
    ends: "LIBRARY_SET_NOT_FOUND",
  }),
  row(library.importLibrarySet, "admin", {
    about: seen,
    request: brokenArchive,
    ends: "INVALID_ARCHIVE",
  }),

  row(token.createToken, "admin", {
    about: seen,
    request: ({ caller }) => ({ name: madeToken(caller), role: Role.ADMIN }),
  }),
  row(token.listTokens, "admin", { about: seen, request: () => ({}) }),
  row(token.rotateToken, "admin", { about: seen, request: ({ caller }) => ({ name: madeToken(caller) }) }),
  row(token.revokeToken, "admin", { about: seen, request: ({ caller }) => ({ name: madeToken(caller) }) }),

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
    request: named,
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
    request: named,
  }),

  row(driver.proveIdentity, "anyone", { about: seen, request: () => ({ nonce: Buffer.alloc(16) }) }),
  row(driver.getDriver, "reader", { about: seen, request: () => ({}), shows: ["others"] }),
  row(driver.drain, "admin", {
    about: seen,
    before: (_, scene) => scene.keepBusy(),
    request: () => ({ timeout: { seconds: 600n } }),
  }),
  row(driver.attach, "reader", {
    about: seen,
    request: ({ caller }) => ({ clientName: caller.role === "admin" ? OTHERS : caller.name }),
    isLast: (message) => (message as AttachResponse).event.case === "draining",
    shows: ["sales", "ledgerName"],
  }),
  row(driver.stop, "admin", { about: seen, request: () => ({}) }),
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

function brokenArchive(): MessageInitShape<typeof ImportLibrarySetRequestSchema>[] {
  return [
    { part: { case: "begin", value: { name: "set" } } },
    { part: { case: "bytes", value: Buffer.from("no archive") } },
    { part: { case: "end", value: {} } },
  ];
}
