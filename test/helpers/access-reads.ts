import { DatasetService } from "../../src/gen/drover/v1/dataset_service_pb.js";
import { ExportFormat } from "../../src/gen/drover/v1/export_pb.js";
import { OperationService } from "../../src/gen/drover/v1/operation_service_pb.js";
import { MeasureOp } from "../../src/gen/drover/v1/query_pb.js";
import { QueryService, ResultFormat } from "../../src/gen/drover/v1/query_service_pb.js";
import { type Caller, withoutScope } from "./access-callers.ts";
import {
  type About,
  type Ask,
  broadBefore,
  others,
  ownLoads,
  type Row,
  reading,
  row,
  seen,
} from "./access-expectations.ts";
import { broad, LEDGER_LOAD, lateLoad, OTHERS, ownLoad, ownQuery, SALES, sql } from "./access-scene.ts";

const dataset = DatasetService.method;
const query = QueryService.method;
const operation = OperationService.method;

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

// It says what is asked, which is no secret from the caller then.
const watchedQuery = (caller: Caller) => `of-sales-${caller.name}`;
/** The same, of the granted dataset alone. */
const readingSales: About = { refusal: reading.refusal };
/** Where pages go on that have begun without the call's scope. */
const pageTokens = new Map<string, string>();

/** Operations come first: what is refused later stands among them, too. */
export const reads: readonly Row[] = [
  row(operation.listOperations, "reader", { about: seen, request: () => ({ pageSize: 1000 }), shows: ["others"] }),
  row(
    operation.getOperation,
    "reader",
    { about: seen, request: ({ caller }) => ({ id: ownQuery(caller.name) }) },
    { about: others("OPERATION_NOT_FOUND"), request: () => ({ id: OTHERS }), shows: ["others"] },
    { about: others("OPERATION_NOT_FOUND"), request: () => ({ id: LEDGER_LOAD }), shows: ["ledgerName"] },
    { about: broadBefore, request: ({ caller }) => ({ id: broad("ledger", caller) }), shows: ["ledgerName"] },
    { about: broadBefore, request: ({ caller }) => ({ id: broad("error", caller) }), shows: ["us"] },
  ),
  row(
    operation.cancelOperation,
    "reader",
    { about: seen, request: ({ caller }) => ({ id: ownQuery(caller.name) }) },
    { about: others("OPERATION_NOT_FOUND"), request: () => ({ id: OTHERS }), shows: ["others"] },
    { about: others("OPERATION_NOT_FOUND"), request: () => ({ id: LEDGER_LOAD }), shows: ["ledgerName"] },
    { about: broadBefore, request: ({ caller }) => ({ id: broad("ledger", caller) }), shows: ["ledgerName"] },
    { about: broadBefore, request: ({ caller }) => ({ id: broad("error", caller) }), shows: ["us"] },
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
    { about: ownLoads, request: ({ caller }) => ({ operationId: lateLoad(caller.name) }), shows: ["us"] },
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
    {
      // Somebody who has asked it with more in sight can't have the answer with less.
      about: readingSales,
      request: (place) => ({ ...all(place), operationId: broad("sales-answer", place.caller), reattachable: true }),
      shows: [...ROWS, "rows"],
      endsFor: { narrowed: "OPERATION_EXISTS" },
    },
  ),
  row(
    query.watchQuery,
    "reader",
    {
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
    },
    {
      about: { refusal: ({ reach }) => (reach === "narrowed" ? "OPERATION_NOT_FOUND" : undefined) },
      request: ({ caller }) => ({ operationId: broad("sales-answer", caller) }),
      endsFor: { nothing: "DATASET_NOT_FOUND" },
      shows: [...ROWS, "rows"],
    },
  ),
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
  row(
    query.listRows,
    "reader",
    { about: reading, request: ({ dataset }) => ({ dataset, pageSize: 10_000 }), shows: ROWS },
    {
      // A page that others begin is not gone on with.
      about: readingSales,
      before: async (caller) => {
        const headers = withoutScope(caller);
        const { response } = await caller.client.unary(query.listRows, { dataset: SALES, pageSize: 5 }, { headers });
        pageTokens.set(caller.name, response.nextPageToken);
      },
      request: ({ caller, dataset }) => ({ dataset, pageSize: 5, pageToken: pageTokens.get(caller.name) ?? "" }),
      endsFor: { narrowed: "INVALID_PAGE_TOKEN" },
    },
  ),
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
];
