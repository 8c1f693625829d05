import { create, toJson } from "@bufbuild/protobuf";
import { ScopeSchema, type Scope as WireScope } from "../gen/drover/v1/scope_pb.js";
import { Filter } from "../query/filter.ts";

/** Which datasets somebody sees, and what of them. In patterns `*` stands for any text and `?` for one character. */
export interface Scope {
  /** Patterns of the names of datasets; an empty list stands for none. Default: all. */
  readonly datasets?: readonly string[] | undefined;
  /** Which rows of them are there; all that match a dataset hold. */
  readonly rows?: readonly RowRule[] | undefined;
  /** Which columns of them are not there. */
  readonly hidden?: readonly HiddenColumns[] | undefined;
}

/** Only some rows of the datasets that a pattern matches. */
export interface RowRule {
  readonly dataset: string;
  readonly where: Filter;
}

/** Not all columns of the datasets that a pattern matches. */
export interface HiddenColumns {
  readonly dataset: string;
  /** Patterns. */
  readonly columns: readonly string[];
}

export function scopeToWire({ datasets = ["*"], rows = [], hidden = [] }: Scope): WireScope {
  return create(ScopeSchema, {
    datasets: [...datasets],
    rows: rows.map(({ dataset, where }) => ({ dataset, filter: where.wire })),
    hidden: hidden.map(({ dataset, columns }) => ({ dataset, columns: [...columns] })),
  });
}

export function scopeFrom({ datasets, rows, hidden }: WireScope): Scope {
  return {
    datasets,
    rows: rows.map(({ dataset, filter }) => ({ dataset, where: new Filter(filter?.kind ?? { case: undefined }) })),
    hidden: hidden.map(({ dataset, columns }) => ({ dataset, columns })),
  };
}

/** As the header `drover-scope` carries it. */
export function scopeHeader(scope: Scope): string {
  return Buffer.from(JSON.stringify(toJson(ScopeSchema, scopeToWire(scope)))).toString("base64url");
}
