import { appendOf } from "../../datasets/appends.ts";
import { nameKey } from "../../datasets/names.ts";
import { DriverError } from "../../errors/driver-error.ts";
import type { Whose } from "../../operations/owner.ts";
import { appendKey } from "./append-key.ts";
import { AppendRun } from "./append-run.ts";
import { Merging } from "./merging.ts";
import type { AppendPart, AppendRequest, AppendService, AppendStatus } from "./model.ts";
import type { AppendServiceParts } from "./parts.ts";

export function createAppendService(parts: AppendServiceParts): AppendService {
  return new Appends(parts);
}

/** A stream that is being taken in. */
interface Stream {
  readonly operationId: string;
  readonly done: Promise<unknown>;
}

class Appends implements AppendService {
  readonly #parts: AppendServiceParts;
  readonly #merging: Merging;
  readonly #streams = new Map<string, Stream>();
  readonly #leave = new AbortController();

  constructor(parts: AppendServiceParts) {
    this.#parts = parts;
    this.#merging = new Merging(parts);
  }

  async append(
    request: AppendRequest,
    parts: AsyncIterable<AppendPart>,
    { signal, onOperation }: Parameters<AppendService["append"]>[2],
  ): Promise<AppendStatus> {
    const key = `${nameKey(request.dataset)}/${appendKey(request)}`;
    await this.#endOther(key);
    signal.throwIfAborted();
    const { dataset, requestedBy, whose, labels } = request;
    let run: AppendRun | undefined;
    const operation = this.#parts.operations.run(
      { kind: "append", dataset, requestedBy, whose, labels, configuration: configurationOf(request) },
      async (handle) => {
        const leave = this.#leave.signal;
        run = new AppendRun({ parts: this.#parts, merging: this.#merging, request, handle, leave });
        const status = await run.run(parts).catch((error: unknown) => {
          // A client that has left did not fail. It is not waited for: the end of this is the end of that.
          if (error instanceof DriverError && error.reason === "CANCELLED")
            void this.#parts.operations.cancel(handle.id, error);
          throw error;
        });
        return { result: status, outcome: { ...status, appended: status.rows - request.offset } };
      },
      { signal },
    );
    onOperation?.(operation.id);
    const stream = { operationId: operation.id, done: operation.done };
    this.#streams.set(key, stream);
    try {
      return await operation.done;
    } catch (error) {
      throw withDurable(DriverError.from(error), request, run?.durable);
    } finally {
      if (this.#streams.get(key) === stream) this.#streams.delete(key);
    }
  }

  async status(dataset: string, id: string, whose?: Whose): Promise<AppendStatus> {
    const { datasets } = this.#parts;
    await datasets.refresh();
    const { current } = datasets.get(dataset);
    return { id, dataset, rows: appendOf(current, appendKey({ id, whose }))?.rows ?? 0, version: current.number };
  }

  stop(): void {
    this.#leave.abort(new DriverError("NOT_SERVING", "the driver ends; the append goes on at the next one"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await this.#merging[Symbol.asyncDispose]();
  }

  /** A client that comes again has left its stream before, whether its end was noticed or not. */
  async #endOther(key: string): Promise<void> {
    const other = this.#streams.get(key);
    if (other === undefined) return;
    const reason = new DriverError("APPEND_OUT_OF_STEP", "another stream goes on with this append");
    await this.#parts.operations.cancel(other.operationId, reason);
    await other.done.catch(() => undefined);
  }
}

function configurationOf({ id, format, names, offset, create }: AppendRequest) {
  return { append: id, format, offset, ...(names.length > 0 && { names }), ...(create.length > 0 && { create }) };
}

/** Says from where another stream may go on. */
function withDurable(error: DriverError, { id }: AppendRequest, rows: number | undefined): DriverError {
  if (rows === undefined || error.metadata.durableRows !== undefined) return error;
  const { reason, message, metadata, violations } = error;
  return new DriverError(reason, message, {
    metadata: { ...metadata, append: id, durableRows: String(rows) },
    violations,
    cause: error,
  });
}
