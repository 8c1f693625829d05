import type { Source } from "../../gen/drover/v1/types_pb.js";
import type { SourceSpec } from "../../sources/connector.ts";
import type { Uploads } from "../../uploads/model.ts";
import type { Call } from "../call.ts";
import { invalidField } from "../mapping/invalid-field.ts";

/** What a request calls a source. A text that was pasted is kept as an upload, which then is the source. */
export async function sourceSpec(
  source: Source | undefined,
  uploads: Pick<Uploads, "keepText">,
  call: Pick<Call, "requestedBy" | "signal">,
): Promise<SourceSpec> {
  const { uri = "", format = "", options = {}, text = "" } = source ?? {};
  if (uri === "" && text === "") throw invalidField("source.uri", "is missing");
  if (uri !== "" && text !== "") throw invalidField("source.text", "can't be given together with a URI");
  const place = text === "" ? uri : (await uploads.keepText(text, call)).uri;
  return { uri: place, format: format || undefined, options };
}
