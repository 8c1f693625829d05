import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { QueryService } from "../gen/drover/v1/query_service_pb.js";
import { aggregateQuestion, type QuerySpec } from "../query/spec.ts";
import { BrowserQuery, type BrowserQueryOptions } from "./query.ts";

/** Where the app server mounted its routes. */
export interface DroverClientOptions {
  /** For example `/api`, or a whole URL. */
  readonly baseUrl: string;
  /** Default: the browser's own. A place for credentials and headers of the app server's login. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/** Asks questions through an app server. */
export interface DroverClient {
  /** Asks an aggregate question. It runs when its answer is asked for; see BrowserQuery. */
  query(dataset: string, spec: QuerySpec, options?: BrowserQueryOptions): BrowserQuery;
}

/** Makes a client for the routes that `droverRoutes` of `@drover/client/router` gave an app server. */
export function createDroverClient({ baseUrl, fetch }: DroverClientOptions): DroverClient {
  const transport = createConnectTransport({ baseUrl, useBinaryFormat: true, ...(fetch && { fetch }) });
  const queries = createClient(QueryService, transport);
  return {
    query: (dataset, spec, options = {}) => new BrowserQuery(queries, aggregateQuestion(dataset, spec), options),
  };
}
