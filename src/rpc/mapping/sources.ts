import { create } from "@bufbuild/protobuf";
import type { NamedSource } from "../../definitions/model.ts";
import type { Source } from "../../gen/drover/v1/types_pb.js";
import { SourceSchema } from "../../gen/drover/v1/types_pb.js";
import type { SourceSpec } from "../../sources/connector.ts";
import { toStruct } from "./values.ts";

/** Where data comes from, as a client names it. */
export function toSourceSpec(source: Source | undefined): SourceSpec {
  const { uri = "", format, options = {}, connection } = source ?? {};
  return { uri, format: format || undefined, options, ...(connection && { connection }) };
}

/** Where data came from, without secrets. */
export function fromSource({ format, uri, options, connection = "" }: NamedSource): Source {
  return create(SourceSchema, { format, uri, options: toStruct(options), connection });
}
