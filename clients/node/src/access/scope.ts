import { create, toJson } from "@bufbuild/protobuf";
import { clientError } from "../errors.ts";
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

const fields: ReadonlySet<string> = new Set(["datasets", "rows", "hidden"] satisfies (keyof Scope)[]);
/** Beyond twice that, drivers refuse the whole call before they can say why. */
const maxHeaderBytes = 32 * 1024;

export function scopeToWire(scope: Scope): WireScope {
  // What holds less back than was meant must not pass for what was meant.
  const unknown = Object.keys(scope).find((field) => !fields.has(field));
  if (unknown !== undefined)
    throw clientError("INVALID_ARGUMENT", `scope: has ${[...fields].join(", ")}, and no ${JSON.stringify(unknown)}`);
  const { datasets = ["*"], rows = [], hidden = [] } = scope;
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
  const header = Buffer.from(JSON.stringify(toJson(ScopeSchema, scopeToWire(scope)))).toString("base64url");
  if (header.length <= maxHeaderBytes) return header;
  const message = `scope: takes ${header.length} bytes of a call's headers, which have room for ${maxHeaderBytes}: give long rules to a token`;
  throw clientError("INVALID_ARGUMENT", message);
}
