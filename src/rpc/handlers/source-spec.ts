import type { Source } from "../../gen/drover/v1/types_pb.js";
import type { SourceSpec } from "../../sources/connector.ts";
import type { Uploads } from "../../uploads/model.ts";
import type { Call } from "../call.ts";
import { invalidField } from "../mapping/invalid-field.ts";
import { toSourceSpec } from "../mapping/sources.ts";

/** What a request calls a source. A text that was pasted is kept as an upload, which then is the source. */
export async function sourceSpec(
  source: Source | undefined,
  uploads: Pick<Uploads, "keepText">,
  call: Pick<Call, "requestedBy" | "signal">,
): Promise<SourceSpec> {
  const spec = toSourceSpec(source);
  const text = source?.text ?? "";
  if (text === "") return spec;
  if (spec.uri !== "" || spec.connection !== undefined)
    throw invalidField("source.text", "can't be given together with a URI or a connection");
  return { ...spec, uri: (await uploads.keepText(text, call)).uri };
}
