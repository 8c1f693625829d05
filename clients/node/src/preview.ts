import type { MessageInitShape } from "@bufbuild/protobuf";
import { columnsFrom } from "./answers-from-wire.ts";
import { DroverError } from "./errors.ts";
import { sourceFrom } from "./from-wire.ts";
import { SourceService } from "./gen/drover/v1/source_service_pb.js";
import type { SourceSchema } from "./gen/drover/v1/types_pb.js";
import type { Source } from "./model.ts";
import { Rows, rowDecoder } from "./rows.ts";
import { Deadline, pause } from "./transport/pause.ts";
import { type CallOptions, defaultTimeoutMs, type Transport } from "./transport/transport.ts";
import type { IntegerMode, JsonObject, ResultValue } from "./values.ts";

export interface PreviewOptions extends CallOptions {
  /** At most so many rows, 1,000 at most. Default: 100. */
  readonly limit?: number | undefined;
  readonly integers?: IntegerMode | undefined;
}

/** The first rows of a source with the types that they show. */
export class Preview extends Rows {
  /** Whether these are all rows. */
  readonly complete: boolean;
  /** The source as a load can take it: its format is known, and pasted text has become an upload. */
  readonly source: Source;
  /** Options that were found rather than given: delimiter, header and their like. */
  readonly foundOptions: JsonObject;
  /** For XML: the elements that may be the records, the likeliest first, for the option `recordPath`. */
  readonly recordPaths: readonly string[];
  readonly warnings: readonly string[];

  constructor(
    columns: Rows["columns"],
    values: readonly (readonly ResultValue[])[],
    rest: Pick<Preview, "complete" | "source" | "foundOptions" | "recordPaths" | "warnings">,
  ) {
    super(columns, values);
    this.complete = rest.complete;
    this.source = rest.source;
    this.foundOptions = rest.foundOptions;
    this.recordPaths = rest.recordPaths;
    this.warnings = rest.warnings;
  }
}

/** An upload may have been begun only just now. */
const notBegunMs = 2_000;
const lookAgainMs = 20;

export async function preview(
  transport: Transport,
  source: MessageInitShape<typeof SourceSchema>,
  options: PreviewOptions,
): Promise<Preview> {
  const { limit = 0, integers = "bigint", timeoutMs = defaultTimeoutMs, signal } = options;
  const deadline = new Deadline({ signal, timeoutMs });
  const since = performance.now();
  for (;;) {
    try {
      const call = { ...options, timeoutMs: deadline.remainingMs };
      const answer = await transport.unary(SourceService.method.previewSource, { source, rows: limit }, call);
      const columns = columnsFrom(answer.columns);
      return new Preview(columns, rowDecoder(columns, integers)(answer.rows), {
        complete: answer.complete,
        source: sourceFrom(answer.source) ?? { uri: "" },
        foundOptions: (answer.foundOptions ?? {}) as JsonObject,
        recordPaths: answer.recordPaths,
        warnings: answer.warnings,
      });
    } catch (error) {
      const missing = error instanceof DroverError && error.reason === "UPLOAD_NOT_FOUND";
      if (!missing || performance.now() - since > notBegunMs) throw error;
      await pause(lookAgainMs, deadline.signal);
    }
  }
}
