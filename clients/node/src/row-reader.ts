import { columnsFrom } from "./answers-from-wire.ts";
import { wholeNumber } from "./checks.ts";
import { QueryService } from "./gen/drover/v1/query_service_pb.js";
import type { Column } from "./model.ts";
import type { Filter } from "./query/filter.ts";
import { type FreshnessOptions, freshnessToWire } from "./query/freshness.ts";
import type { WaitOptions } from "./query/query.ts";
import { type Row, Rows, rowDecoder } from "./rows.ts";
import type { Transport } from "./transport/transport.ts";
import type { IntegerMode, ResultValue } from "./values.ts";

/** Which raw rows are read, and how. */
export interface RowsOptions extends WaitOptions, FreshnessOptions {
  /** Default: all. */
  readonly columns?: readonly string[] | undefined;
  readonly where?: Filter | undefined;
  /** Default: the current one, to which all pages then hold. */
  readonly version?: number | undefined;
  /** At most this many rows in all. Default: every row. */
  readonly limit?: number | undefined;
  /** At most this many rows in a page, up to 10,000. Default: 1,000. */
  readonly pageSize?: number | undefined;
  /** Where to go on: `nextPageToken` of an earlier page. */
  readonly pageToken?: string | undefined;
  readonly integers?: IntegerMode | undefined;
}

/** A page of raw rows. */
export class RowPage extends Rows {
  /** The version that was read. */
  readonly version: number;
  /** Empty at the end. */
  readonly nextPageToken: string;

  constructor(
    columns: readonly Column[],
    values: readonly (readonly ResultValue[])[],
    version: number,
    nextPageToken: string,
  ) {
    super(columns, values);
    this.version = version;
    this.nextPageToken = nextPageToken;
  }
}

const defaultPageSize = 1000;

/** Raw rows of one version, in the order in which they are stored: `for await (const row of …)`, or page by page. */
export class RowReader implements AsyncIterable<Row> {
  readonly #transport: Transport;
  readonly #dataset: string;
  readonly #options: RowsOptions;

  constructor(transport: Transport, dataset: string, options: RowsOptions) {
    this.#transport = transport;
    this.#dataset = dataset;
    this.#options = options;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Row, void, undefined> {
    for await (const page of this.pages()) yield* page.rows;
  }

  /** Page by page; the next one is fetched when it is asked for. */
  async *pages(): AsyncGenerator<RowPage, void, undefined> {
    let left = this.#options.limit ?? Number.POSITIVE_INFINITY;
    let pageToken = this.#options.pageToken ?? "";
    const pageSize = Math.min(this.#options.pageSize ?? defaultPageSize, left);
    do {
      const page = await this.#fetch(pageToken, pageSize, left);
      yield page;
      left -= page.values.length;
      pageToken = page.nextPageToken;
    } while (left > 0 && pageToken !== "");
  }

  async #fetch(pageToken: string, pageSize: number, left: number): Promise<RowPage> {
    const { columns = [], where, version = 0, integers = "bigint" } = this.#options;
    const freshness = freshnessToWire(this.#options);
    const request = {
      dataset: this.#dataset,
      version: wholeNumber("version", version),
      columns: [...columns],
      ...(where && { filter: where.wire }),
      ...(freshness && { freshness }),
      pageSize,
      pageToken,
      noWait: this.#options.noWait ?? false,
    };
    const response = await this.#transport.unary(QueryService.method.listRows, request, this.#options);
    const pageColumns = columnsFrom(response.columns);
    const values = rowDecoder(pageColumns, integers)(response.rows);
    return new RowPage(pageColumns, values.slice(0, left), Number(response.version), response.nextPageToken);
  }
}
