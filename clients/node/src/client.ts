import { randomUUID } from "node:crypto";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Tokens } from "./access/tokens.ts";
import { columnsFrom } from "./answers-from-wire.ts";
import { type AppendOptions, type AppendStatus, append, appendStatus } from "./append/append.ts";
import type { AppendSource } from "./append/batches.ts";
import { required, wholeNumber } from "./checks.ts";
import {
  listValues,
  type Statistics,
  type StatisticsOptions,
  statistics,
  type ValueCount,
  type ValuesOptions,
} from "./column-content.ts";
import { statusError } from "./errors.ts";
import { type DatasetExportOptions, type Export, type ExportOptions, exportDataset, exportQuestion } from "./export.ts";
import {
  datasetFrom,
  driverFrom,
  levelToWire,
  operationFrom,
  sourceToWire,
  uploadFrom,
  versionFrom,
} from "./from-wire.ts";
import { DatasetService } from "./gen/drover/v1/dataset_service_pb.js";
import { type DrainResponse, DriverService, type StopResponse } from "./gen/drover/v1/driver_service_pb.js";
import { QueryService, type Question } from "./gen/drover/v1/query_service_pb.js";
import { UploadService } from "./gen/drover/v1/upload_service_pb.js";
import { Lease } from "./lease.ts";
import { LibrarySets } from "./library-sets/library-sets.ts";
import { type AskForLoad, Load, type LoadOptions } from "./load.ts";
import type {
  Dataset,
  DriverEvent,
  DriverInfo,
  EndAnswer,
  Explanation,
  Labels,
  Operation,
  Source,
  StorageLevel,
  TextSource,
  Upload,
  Version,
} from "./model.ts";
import {
  type CancelAnswer,
  type CancelOptions,
  cancel,
  listOperations,
  type OperationListOptions,
  operation,
} from "./operations.ts";
import { maxPageSize, paged } from "./pages.ts";
import { type Preview, type PreviewOptions, preview } from "./preview.ts";
import { Query, type QueryOptions } from "./query/query.ts";
import { aggregateQuestion, type QuerySpec, questionFromJson, type SqlSpec, sqlQuestion } from "./query/spec.ts";
import {
  type DueRefresh,
  incrementToWire,
  modeToWire,
  type RefreshOptions,
  type Schedule,
  scheduleToWire,
} from "./refresh.ts";
import { RowReader, type RowsOptions } from "./row-reader.ts";
import { Connections } from "./sources/connections.ts";
import { Sources } from "./sources/sources.ts";
import { dateFrom } from "./times.ts";
import type { CallOptions, Transport } from "./transport/transport.ts";
import type { UploadContent } from "./upload/content.ts";
import { type UploadOptions, upload } from "./upload/upload.ts";
import type { JsonObject } from "./values.ts";

/** Which datasets are listed. */
export interface DatasetListOptions extends CallOptions {
  /** Only datasets that carry every one of these. */
  readonly labels?: Labels | undefined;
}

/** Why a driver is asked to end. */
export interface StopOptions {
  /** In words: shown to attached clients and in the log. */
  readonly reason?: string | undefined;
}

/** How a driver is asked to drain. */
export interface DrainOptions extends StopOptions {
  /** How long what runs may take to finish, in milliseconds. Default: the driver's `drainTimeout` setting. */
  readonly timeoutMs?: number | undefined;
}

/**
 * The transport of a client, for this package's own parts: index.ts does not export it. The class assigns it, since nobody
 * else can read a private field.
 */
export let transportOf: (drover: Drover) => Transport;

/** A client of a driver: of one at an address, or of the one that counts now (`ensureDriver`). Close it with `await using` or `close()`. */
export class Drover implements AsyncDisposable {
  readonly #transport: Transport;
  readonly #lease: Lease | undefined;
  /** Servers' addresses by name, with how to log in there. */
  readonly connections: Connections;
  /** Where data comes from, by name. */
  readonly sources: Sources;
  /** Packages at exact versions that sources are read with. */
  readonly librarySets: LibrarySets;
  /** Who may do and see what; for administrators. */
  readonly tokens: Tokens;

  static {
    transportOf = (drover) => drover.#transport;
  }

  /** The lease, if any, ends with the client. */
  constructor(transport: Transport, lease?: Lease) {
    this.#transport = transport;
    this.#lease = lease;
    this.connections = new Connections(transport);
    this.sources = new Sources(transport);
    this.librarySets = new LibrarySets(transport);
    this.tokens = new Tokens(transport);
  }

  /** `host:port` of the driver. */
  get address(): string {
    return this.#transport.address;
  }

  /** The instance id that the latest answer carried; another one than before means that the driver was restarted. */
  get instanceId(): string {
    return this.#transport.instanceId;
  }

  /** Who the driver is and how it is. */
  async driver(options: CallOptions = {}): Promise<DriverInfo> {
    return driverFrom(await this.#transport.unary(DriverService.method.getDriver, {}, options));
  }

  /**
   * What happens in the driver, from now on, over broken connections and at the next drivers too: ends only with the signal's
   * error, CLIENT_CLOSED, or what the driver says against it. `attached` says that events before it may have been missed.
   */
  async *events({ signal }: Pick<CallOptions, "signal"> = {}): AsyncGenerator<DriverEvent, void, undefined> {
    if (this.#lease !== undefined) return yield* this.#lease.events(signal);
    const connection = { channel: this.#transport, instanceId: this.instanceId, close: async () => {} };
    await using lease = new Lease({ connect: async () => connection, keepAlive: true });
    yield* lease.events(signal);
  }

  /**
   * Asks this driver to finish what runs, to take no more, and to end. Answers at once. Where it drains already, the earlier
   * deadline counts.
   */
  async drain({ reason = "", timeoutMs }: DrainOptions = {}, options: CallOptions = {}): Promise<EndAnswer> {
    const timeout =
      timeoutMs === undefined ? {} : { timeout: durationFromMs(Number(wholeNumber("timeoutMs", timeoutMs))) };
    return endFrom(await this.#transport.unary(DriverService.method.drain, { reason, ...timeout }, options));
  }

  /** As `drain`, with the short time that the driver's `stopGrace` setting gives. */
  async stop({ reason = "" }: StopOptions = {}, options: CallOptions = {}): Promise<EndAnswer> {
    return endFrom(await this.#transport.unary(DriverService.method.stop, { reason }, options));
  }

  /**
   * Starts loading a source into a dataset and answers at once. The same source and options while such a load runs joins
   * it; it stops when all who share it have cancelled. Aborting `signal` later does not cancel: `load.cancel()` does.
   */
  async load(dataset: string, source: Source | TextSource, options: LoadOptions = {}): Promise<Load> {
    const { operationId = randomUUID(), labels = {}, where, limit = 0, columns, increment } = options;
    const kept = columns && { options: { ...source.options, columns: [...columns] } };
    const request = {
      dataset,
      source: sourceToWire({ ...source, ...kept }),
      operationId,
      labels: { ...labels },
      ...(where && { filter: where.wire }),
      limit: BigInt(limit),
      ...(increment && { increment: incrementToWire(increment) }),
    };
    const ask: AskForLoad = (channel, call) => channel.unary(DatasetService.method.loadDataset, request, call);
    return await Load.start(this.#transport, operationId, ask, options);
  }

  /**
   * Reads a dataset's source again, in full or only what is new, and answers at once. Those who ask for the same at the same
   * time share it. Aborting `signal` later does not stop it: `cancel()` does.
   */
  async refresh(dataset: string, options: RefreshOptions = {}): Promise<Load> {
    const { operationId = randomUUID(), mode, increment } = options;
    const request = {
      ...{ dataset, operationId, mode: modeToWire(mode) },
      ...(increment && { increment: incrementToWire(increment) }),
    };
    const ask: AskForLoad = (channel, call) => channel.unary(DatasetService.method.refreshDataset, request, call);
    return await Load.start(this.#transport, operationId, ask, options);
  }

  /** Refreshes what the datasets' schedules want by now, and tells of each when it has ended. Leaving it cancels nothing. */
  async *refreshDue(options: CallOptions = {}): AsyncGenerator<DueRefresh, void, undefined> {
    const { refreshDueDatasets } = DatasetService.method;
    for await (const { dataset, operation, error } of this.#transport.stream(refreshDueDatasets, {}, options)) {
      yield {
        dataset,
        operation: operation && operationFrom(operation),
        error: error && statusError(error),
      };
    }
  }

  /** Sets when a dataset is refreshed by itself; null for never. */
  async setSchedule(dataset: string, schedule: Schedule | null, options: CallOptions = {}): Promise<Dataset> {
    const request = { dataset, ...(schedule && { schedule: scheduleToWire(schedule) }) };
    const response = await this.#transport.unary(DatasetService.method.setSchedule, request, options);
    return datasetFrom(required(response.dataset));
  }

  /**
   * Appends rows to a dataset, or the bytes of an Arrow IPC stream: visible within a second, each exactly once. It goes on by
   * itself after a broken connection, also at the next driver, and with the id of an append that was broken off earlier.
   */
  async append(dataset: string, rows: AppendSource, options: AppendOptions = {}): Promise<AppendStatus> {
    return await append(this.#transport, dataset, rows, options);
  }

  /** How far an append has come. */
  async appendStatus(dataset: string, appendId: string, options: CallOptions = {}): Promise<AppendStatus> {
    return await appendStatus(this.#transport, dataset, appendId, options);
  }

  /** A load by its operation's id, to watch or cancel it. */
  watchLoad(operationId: string): Load {
    return new Load(this.#transport, operationId, false);
  }

  /**
   * The first rows of a source, their types, and what was found where options are left open. Loads nothing. Of an upload that is
   * still being sent, the first 64 KiB are waited for.
   */
  async preview(source: Source | TextSource, options: PreviewOptions = {}): Promise<Preview> {
    return await preview(this.#transport, sourceToWire(source), options);
  }

  /**
   * Sends a file to the driver; loaded as `upload:ID`. It goes on by itself after a broken connection where the content can be
   * read again, also at the next driver, and with the id of an upload that was broken off earlier.
   */
  async upload(content: UploadContent, options: UploadOptions = {}): Promise<Upload> {
    return await upload(this.#transport, content, options);
  }

  /** Uploads by id, finished or not. */
  uploads(options: CallOptions = {}): AsyncGenerator<Upload, void, undefined> {
    return paged(async (pageToken) => {
      const request = { pageSize: maxPageSize, pageToken };
      const response = await this.#transport.unary(UploadService.method.listUploads, request, options);
      return { items: response.uploads.map(uploadFrom), nextPageToken: response.nextPageToken };
    });
  }

  /** An upload as the driver has it, finished or not. */
  async uploaded(id: string, options: CallOptions = {}): Promise<Upload> {
    const { upload: found } = await this.#transport.unary(UploadService.method.getUpload, { id }, options);
    return uploadFrom(required(found));
  }

  /** Deletes an upload. Datasets that were made of it stay. */
  async deleteUpload(id: string, options: CallOptions = {}): Promise<void> {
    await this.#transport.unary(UploadService.method.deleteUpload, { id }, options);
  }

  /** Datasets by name, without their columns. */
  datasets(options: DatasetListOptions = {}): AsyncGenerator<Dataset, void, undefined> {
    return paged(async (pageToken) => {
      const request = { pageSize: maxPageSize, pageToken, labels: { ...options.labels } };
      const response = await this.#transport.unary(DatasetService.method.listDatasets, request, options);
      return { items: response.datasets.map(datasetFrom), nextPageToken: response.nextPageToken };
    });
  }

  async dataset(name: string, options: CallOptions = {}): Promise<Dataset> {
    const request = { dataset: name };
    const { dataset } = await this.#transport.unary(DatasetService.method.getDataset, request, options);
    return datasetFrom(required(dataset));
  }

  /** Deletes a dataset with all its versions. Queries that run on it finish. */
  async deleteDataset(name: string, options: CallOptions = {}): Promise<void> {
    await this.#transport.unary(DatasetService.method.deleteDataset, { dataset: name }, options);
  }

  /** Makes an older version current again, as a new version. Queries that run keep the one that they began with. */
  async rollback(dataset: string, version: number, options: CallOptions = {}): Promise<Dataset> {
    const request = { dataset, version: wholeNumber("version", version) };
    const response = await this.#transport.unary(DatasetService.method.rollbackDataset, request, options);
    return datasetFrom(required(response.dataset));
  }

  /**
   * Says where a dataset and its later versions are kept, in every driver of the data directory; answers once the current version is
   * kept so in this one. Errors: PIN_REFUSED.
   */
  async setStorageLevel(name: string, level: StorageLevel, options: CallOptions = {}): Promise<Dataset> {
    const request = { dataset: name, storageLevel: levelToWire(level) };
    const { dataset } = await this.#transport.unary(DatasetService.method.setStorageLevel, request, options);
    return datasetFrom(required(dataset));
  }

  /** The versions that are kept, newest first. */
  versions(dataset: string, options: CallOptions = {}): AsyncGenerator<Version, void, undefined> {
    return paged(async (pageToken) => {
      const request = { dataset, pageSize: maxPageSize, pageToken };
      const response = await this.#transport.unary(DatasetService.method.listVersions, request, options);
      return { items: response.versions.map(versionFrom), nextPageToken: response.nextPageToken };
    });
  }

  /** Asks an aggregate question. It runs when its answer is asked for; see Query. */
  query(dataset: string, spec: QuerySpec, options: QueryOptions = {}): Query {
    return new Query(this.#transport, aggregateQuestion(dataset, spec), options);
  }

  /** Asks one SELECT over datasets; `parameters` stand for `$1`, `$2`, ... */
  sql(sql: string, options: QueryOptions & Omit<SqlSpec, "sql"> = {}): Query {
    const { parameters, versions, maxAgeMs, allowStale } = options;
    const question = sqlQuestion({ sql, parameters, versions, maxAgeMs, allowStale });
    return new Query(this.#transport, question, options);
  }

  /** Asks a question in the contract's JSON form (`drover.v1.Question`), for example one that a browser sent. */
  ask(question: JsonObject, options: QueryOptions = {}): Query {
    return new Query(this.#transport, questionFromJson(question), options);
  }

  /** The rows of a version as the bytes of a file, in the order in which they are stored. It runs when it is read; see Export. */
  export(dataset: string, options: DatasetExportOptions): Export {
    return exportDataset(this.#transport, dataset, options);
  }

  /** The answer to an aggregate question as the bytes of a file. */
  exportQuery(dataset: string, spec: QuerySpec, options: ExportOptions): Export {
    return exportQuestion(this.#transport, aggregateQuestion(dataset, spec), options);
  }

  /** The answer to one SELECT over datasets as the bytes of a file. */
  exportSql(sql: string, options: ExportOptions & Pick<SqlSpec, "parameters">): Export {
    return exportQuestion(this.#transport, sqlQuestion({ sql, parameters: options.parameters }), options);
  }

  /** How a query would be answered. */
  async explain(dataset: string, spec: QuerySpec, options: CallOptions = {}): Promise<Explanation> {
    return this.#explain(aggregateQuestion(dataset, spec), options);
  }

  /** How SQL would be answered. */
  async explainSql(sql: SqlSpec, options: CallOptions = {}): Promise<Explanation> {
    return this.#explain(sqlQuestion(sql), options);
  }

  /** Raw rows of one version, in the order in which they are stored. */
  rows(dataset: string, options: RowsOptions = {}): RowReader {
    return new RowReader(this.#transport, dataset, options);
  }

  /** The different values of a column with their counts, in the order of the values, NULL last. */
  values(dataset: string, column: string, options: ValuesOptions = {}): AsyncGenerator<ValueCount, void, undefined> {
    return listValues(this.#transport, dataset, column, options);
  }

  /** Counts, bounds and quantiles of columns. */
  async statistics(dataset: string, options: StatisticsOptions = {}): Promise<Statistics> {
    return statistics(this.#transport, dataset, options);
  }

  /** Running and finished operations, newest first. */
  operations(options: OperationListOptions = {}): AsyncGenerator<Operation, void, undefined> {
    return listOperations(this.#transport, options);
  }

  async operation(id: string, options: CallOptions = {}): Promise<Operation> {
    return operation(this.#transport, id, options);
  }

  /**
   * Cancels an operation and answers once its work has stopped, or after 10 s; the state in the answer says which. A load that
   * others share goes on for them unless `everybody` is set.
   */
  async cancel(id: string, options: CancelOptions = {}): Promise<CancelAnswer> {
    return cancel(this.#transport, id, options);
  }

  /** Ends the connection; calls under way are cancelled and fail with CLIENT_CLOSED. May be called twice. */
  async close(): Promise<void> {
    await this.#lease?.[Symbol.asyncDispose]();
    await this.#transport[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #explain(question: Question, options: CallOptions): Promise<Explanation> {
    const response = await this.#transport.unary(QueryService.method.explainQuery, { question }, options);
    return {
      plan: response.plan as JsonObject | undefined,
      text: response.text,
      statement: response.statement,
      columns: columnsFrom(response.columns),
    };
  }
}

function endFrom({ deadline, runningOperations }: DrainResponse | StopResponse): EndAnswer {
  return { deadline: required(dateFrom(deadline)), runningOperations };
}
