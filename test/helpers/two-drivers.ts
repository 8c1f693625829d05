import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { startDriver, type TestDriver } from "./driver.ts";

export interface Failure {
  readonly reason: string;
  readonly message: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** What a driver answers to a call in JSON: the response, or why there is none. */
export type Answer = { readonly [field: string]: unknown } & { readonly failure?: Failure };

export interface OperationJson {
  readonly id: string;
  readonly state: string;
  readonly outcome?: { readonly version?: number };
  readonly progress: { readonly phase: string };
  readonly error?: { readonly message: string };
}

/** Calls a driver by JSON over HTTP/1.1. Rejects if it can't be reached or dies meanwhile. */
export async function call({ address, token }: TestDriver, method: string, request: object): Promise<Answer> {
  const response = await fetch(`http://${address}/drover.v1.${method}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(request),
    signal: AbortSignal.timeout(60_000),
  });
  const answer = (await response.json()) as Answer;
  if (response.ok) return answer;
  const details = answer.details as { debug: { reason?: string; metadata?: Record<string, string> } }[] | undefined;
  const info = details?.find(({ debug }) => debug.reason !== undefined)?.debug;
  const { reason = String(answer.code), metadata = {} } = info ?? {};
  return { failure: { reason, message: String(answer.message), metadata } };
}

export async function operation(driver: TestDriver, id: string): Promise<OperationJson> {
  const answer = await call(driver, "OperationService/GetOperation", { id });
  if (answer.failure) throw new Error(`${answer.failure.reason}: ${answer.failure.message}`);
  return answer.operation as OperationJson;
}

/** Waits until an operation satisfies `test`. */
export async function until(
  driver: TestDriver,
  id: string,
  test: (operation: OperationJson) => boolean,
): Promise<OperationJson> {
  for (;;) {
    const found = await operation(driver, id);
    if (test(found)) return found;
    await setTimeout(10);
  }
}

const RUNNING = ["OPERATION_STATE_PENDING", "OPERATION_STATE_RUNNING", "OPERATION_STATE_CANCELLING"];

export function end(driver: TestDriver, id: string): Promise<OperationJson> {
  return until(driver, id, ({ state }) => !RUNNING.includes(state));
}

export async function startLoad(driver: TestDriver, dataset: string, uri: string, more: object = {}): Promise<Answer> {
  return call(driver, "DatasetService/LoadDataset", { dataset, source: { uri }, ...more });
}

/** Loads to the end; answers the state, or the reason why the load did not begin. */
export async function load(driver: TestDriver, dataset: string, uri: string): Promise<string> {
  const { failure, operation } = await startLoad(driver, dataset, uri);
  if (failure) return failure.reason;
  return (await end(driver, (operation as OperationJson).id)).state;
}

/** The sum of the column `i`, or the reason why there is none. */
export async function sum(driver: TestDriver, dataset: string): Promise<string> {
  const { failure, rows } = await call(driver, "QueryService/Query", {
    question: { sql: { sql: `SELECT sum(i)::VARCHAR AS s FROM "${dataset}"` } },
  });
  if (failure) return failure.reason;
  const [row] = rows as { values?: unknown[] }[] | unknown[][];
  return String(Array.isArray(row) ? row[0] : row?.values?.[0]);
}

/** Writes a source whose sum is `value`; `rows` make it as slow to load as one likes. */
export async function writeSource(folder: string, value: number, rows = 1): Promise<string> {
  const file = join(folder, `${value}-${rows}.csv`);
  const filler = Array.from({ length: rows - 1 }, (_, row) => `0,some text of row ${row} that takes room\n`).join("");
  await writeFile(file, `i,t\n${value},x\n${filler}`);
  return file;
}

/** One of several drivers on a data directory, each with a profile of its own. */
export function startOn(dataDir: string, profile: string): Promise<TestDriver> {
  return startDriver({ dataDir, profile, config: "[retention]\nversions = 1\n" });
}
