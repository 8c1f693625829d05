import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  ExportCompression,
  type ExportEvent,
  ExportEventSchema,
  ExportFormat,
  type ExportLayout,
} from "../../gen/drover/v1/export_pb.js";
import type {
  Compression,
  ExportFormat as Format,
  ExportLayout as Layout,
  ExportEvent as ServiceEvent,
} from "../../queries/export/model.ts";
import { fromColumns } from "./columns.ts";
import { invalidField } from "./invalid-field.ts";
import { fromProgress } from "./operations.ts";

const FORMATS: Readonly<Partial<Record<ExportFormat, Format>>> = {
  [ExportFormat.CSV]: "csv",
  [ExportFormat.TSV]: "tsv",
  [ExportFormat.JSON]: "json",
  [ExportFormat.JSON_LINES]: "jsonl",
  [ExportFormat.XML]: "xml",
  [ExportFormat.PARQUET]: "parquet",
  [ExportFormat.ARROW]: "arrow",
};

const COMPRESSIONS: Readonly<Partial<Record<ExportCompression, Compression>>> = {
  [ExportCompression.NONE]: "none",
  [ExportCompression.GZIP]: "gzip",
  [ExportCompression.ZSTD]: "zstd",
};

export function toLayout(layout: ExportLayout | undefined): Layout {
  const format = FORMATS[layout?.format ?? 0];
  if (layout === undefined || format === undefined) throw invalidField("layout.format", "is not set");
  const compression = COMPRESSIONS[layout.compression];
  const { header, delimiter, nullText, xmlRoot, xmlRecord } = layout;
  return {
    format,
    ...(compression !== undefined && { compression }),
    ...(header !== undefined && { header }),
    ...(delimiter !== undefined && { delimiter }),
    ...(nullText !== undefined && { nullText }),
    ...(xmlRoot !== undefined && { root: xmlRoot }),
    ...(xmlRecord !== undefined && { record: xmlRecord }),
  };
}

export function fromExportEvent(event: ServiceEvent): ExportEvent {
  return create(ExportEventSchema, { event: eventOf(event) });
}

function eventOf(event: ServiceEvent): NonNullable<MessageInitShape<typeof ExportEventSchema>["event"]> {
  switch (event.type) {
    case "accepted":
      return { case: "accepted", value: { operationId: event.operationId } };
    case "progress":
      return { case: "progress", value: fromProgress(event.progress) };
    case "begun":
      return { case: "begun", value: { columns: fromColumns(event.columns) } };
    case "data":
      // The contract's messages hold bytes over plain memory; the driver makes no other.
      return { case: "data", value: event.data as Uint8Array<ArrayBuffer> };
    case "completed": {
      const { rows, bytes, versions } = event.completion;
      const numbers = Object.entries(versions).map(([dataset, version]) => [dataset, BigInt(version)]);
      const value = { rows: BigInt(rows), bytes: BigInt(bytes), versions: Object.fromEntries(numbers) };
      return { case: "completed", value };
    }
  }
}
