import type { Column as EngineColumn, TypeKind as EngineTypeKind } from "../../engine/types.ts";
import { type Column, TypeKind } from "../../gen/drover/v1/types_pb.js";

const KINDS: Readonly<Record<EngineTypeKind, TypeKind>> = {
  boolean: TypeKind.BOOLEAN,
  integer: TypeKind.INTEGER,
  decimal: TypeKind.DECIMAL,
  float: TypeKind.FLOAT,
  text: TypeKind.TEXT,
  binary: TypeKind.BINARY,
  date: TypeKind.DATE,
  time: TypeKind.TIME,
  timestamp: TypeKind.TIMESTAMP,
  timestampTz: TypeKind.TIMESTAMP_TZ,
  interval: TypeKind.INTERVAL,
  nested: TypeKind.NESTED,
  other: TypeKind.OTHER,
};

export function fromColumn({ name, type, kind }: EngineColumn): Column {
  return { $typeName: "drover.v1.Column", name, type, kind: KINDS[kind] };
}

export function fromColumns(columns: readonly EngineColumn[]): Column[] {
  return columns.map(fromColumn);
}
