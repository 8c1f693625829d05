import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import type { Scope } from "../../access/model.ts";
import { DriverError } from "../../errors/driver-error.ts";
import { type Scope as ProtoScope, ScopeSchema } from "../../gen/drover/v1/scope_pb.js";
import { toFilter } from "./filters.ts";
import { invalidField } from "./invalid-field.ts";
import { itemsRule } from "./list-rules.ts";
import { fromRowFilter } from "./row-filters.ts";

/** What a call gives up for the end user that it names: a Scope as JSON in base64url. */
export const SCOPE_HEADER = "drover-scope";

const BASE64URL = /^[A-Za-z0-9_-]*$/;
/** In another encoding a pattern would hide what has another name. */
const UTF8 = new TextDecoder("utf-8", { fatal: true });
const MAX_PATTERN_CHARS = 300;
const { datasets: datasetsField, rows: rowsField, hidden: hiddenField } = ScopeSchema.field;
const checkDatasets = itemsRule(datasetsField);
const checkRows = itemsRule(rowsField);
const checkHidden = itemsRule(hiddenField);

/** `place` is the field's path from the request's root, for errors. */
export function toScope({ datasets, rows, hidden }: ProtoScope, place: string): Scope {
  checkDatasets(datasets, `${place}.datasets`);
  checkRows(rows, `${place}.rows`);
  checkHidden(hidden, `${place}.hidden`);
  return {
    datasets: datasets.map((pattern, index) => checked(pattern, `${place}.datasets[${index}]`)),
    rows: rows.map(({ dataset, filter }, index) => {
      const at = `${place}.rows[${index}]`;
      if (filter === undefined) throw invalidField(`${at}.filter`, "must be set");
      return { dataset: checked(dataset, `${at}.dataset`), filter: toFilter(filter, `${at}.filter`) };
    }),
    hidden: hidden.map(({ dataset, columns }, index) => {
      const at = `${place}.hidden[${index}]`;
      if (columns.length === 0) throw invalidField(`${at}.columns`, "must name a column");
      const patterns = columns.map((pattern, number) => checked(pattern, `${at}.columns[${number}]`));
      return { dataset: checked(dataset, `${at}.dataset`), columns: patterns };
    }),
  };
}

export function fromScope({ datasets, rows, hidden }: Scope): ProtoScope {
  return create(ScopeSchema, {
    datasets: [...datasets],
    rows: rows.map(({ dataset, filter }) => ({ dataset, filter: fromRowFilter(filter) })),
    hidden: hidden.map(({ dataset, columns }) => ({ dataset, columns: [...columns] })),
  });
}

/** Throws INVALID_REQUEST for what is no scope: one that is not understood must not pass for one that hides nothing. */
export function readScope(header: string | undefined): Scope | undefined {
  if (header === undefined) return undefined;
  const text = header.replace(/=+$/, "");
  if (!BASE64URL.test(text)) throw unreadable("is not base64url");
  let message: ProtoScope;
  try {
    const json = JSON.parse(UTF8.decode(Buffer.from(text, "base64url"))) as JsonValue;
    message = fromJson(ScopeSchema, json, { ignoreUnknownFields: false });
  } catch (error) {
    throw unreadable(`is no Scope as JSON: ${(error as Error).message}`);
  }
  return toScope(message, SCOPE_HEADER);
}

function checked(pattern: string, place: string): string {
  if (pattern.length >= 1 && pattern.length <= MAX_PATTERN_CHARS) return pattern;
  throw invalidField(place, `a pattern has 1 to ${MAX_PATTERN_CHARS} characters`);
}

function unreadable(why: string): DriverError {
  return new DriverError("INVALID_REQUEST", `the header ${SCOPE_HEADER} ${why}`, {
    metadata: { header: SCOPE_HEADER },
  });
}
