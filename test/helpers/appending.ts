import { randomUUID } from "node:crypto";
import type { AppendPart, AppendRequest, AppendStatus } from "../../src/loading/append/model.ts";
import type { LoadBench } from "./load-service.ts";

/** Rows as a piece of a stream. */
export function json(...rows: readonly unknown[]): AppendPart {
  return { type: "rows", bytes: Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join("")) };
}

export const END: AppendPart = { type: "end" };

export function appendRequest(dataset: string, more: Partial<AppendRequest> = {}): AppendRequest {
  return {
    dataset,
    id: randomUUID(),
    format: "json",
    names: [],
    offset: 0,
    create: [],
    labels: {},
    requestedBy: "test",
    ...more,
  };
}

/** Appends to the end. */
export function append(
  { appends }: Pick<LoadBench, "appends">,
  request: AppendRequest,
  parts: Iterable<AppendPart> | AsyncIterable<AppendPart>,
  signal: AbortSignal = new AbortController().signal,
): Promise<AppendStatus> {
  return appends.append(
    request,
    (async function* () {
      yield* parts;
    })(),
    { signal },
  );
}
