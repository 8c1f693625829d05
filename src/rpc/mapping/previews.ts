import { create } from "@bufbuild/protobuf";
import type { NamedSource } from "../../definitions/model.ts";
import { type PreviewSourceResponse, PreviewSourceResponseSchema } from "../../gen/drover/v1/source_service_pb.js";
import type { SourcePreview } from "../../loading/source-probe.ts";
import { fromColumns } from "./columns.ts";
import { fromSource } from "./sources.ts";
import { fromRow, toStruct } from "./values.ts";

export function fromPreview(preview: SourcePreview, source: NamedSource): PreviewSourceResponse {
  const { columns, rows, complete, options, warnings, recordPaths } = preview;
  return create(PreviewSourceResponseSchema, {
    source: fromSource(source),
    columns: fromColumns(columns),
    rows: rows.map(fromRow),
    complete,
    foundOptions: toStruct(options),
    recordPaths: [...recordPaths],
    warnings: warnings.map((warning) => warning.toWellFormed()),
  });
}
