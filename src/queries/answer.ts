import type { Column, JsonValue } from "../engine/types.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { QueryCompletion, QueryEvent } from "./events.ts";

/** The final result of a query as a whole. */
export interface QueryAnswer {
  readonly operationId: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly JsonValue[])[];
  readonly completion: QueryCompletion;
}

/** Collects a query's last frame, in the format `rows`. Throws RESULT_TOO_LARGE (and so cancels) above `maxBytes` of JSON. */
export async function collectAnswer(events: AsyncIterable<QueryEvent>, maxBytes: number): Promise<QueryAnswer> {
  let operationId = "";
  let columns: readonly Column[] = [];
  let rows: (readonly JsonValue[])[] = [];
  let bytes = 0;
  for await (const event of events) {
    if (event.type === "accepted") operationId = event.operationId;
    else if (event.type === "frameStart") [columns, rows, bytes] = [event.columns, [], 0];
    else if (event.type === "frameBatch") {
      bytes += jsonBytes(event.rows);
      if (bytes > maxBytes) throw tooLarge(maxBytes);
      rows.push(...(event.rows ?? []));
    } else if (event.type === "completed") return { operationId, columns, rows, completion: event.completion };
  }
  throw new DriverError("INTERNAL", "a query ended without completing");
}

/** The size of a value as JSON. */
export function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value) ?? "");
}

function tooLarge(maxBytes: number): DriverError {
  return new DriverError("RESULT_TOO_LARGE", `the result has more than ${maxBytes} bytes`, {
    metadata: { maxBytes: String(maxBytes) },
  });
}
