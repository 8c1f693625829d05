/** The family of a type; mirrors the contract's TypeKind. */
export type TypeKind =
  | "boolean"
  | "integer"
  | "decimal"
  | "float"
  | "text"
  | "binary"
  | "date"
  | "time"
  | "timestamp"
  | "timestampTz"
  | "interval"
  | "nested"
  | "other";

/** A column of a dataset or a result. */
export interface Column {
  readonly name: string;
  /** SQL text of the type: `BIGINT`, `DECIMAL(18,3)`, `TIMESTAMP WITH TIME ZONE`, `STRUCT(a INTEGER)`. docs/types.md. */
  readonly type: string;
  readonly kind: TypeKind;
}

/** A JSON value as docs/types.md encodes engine values. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** How far the engine is; `fraction` is undefined while it can't tell. */
export interface EngineProgress {
  readonly fraction: number | undefined;
  readonly rows: number;
}
