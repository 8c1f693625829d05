import type * as api from "@drover/connector";
import { typeOf } from "./plan.ts";

type Rule = (value: unknown) => boolean;

const isText: Rule = (value) => typeof value === "string";
const isFlag: Rule = (value) => typeof value === "boolean";
const isCount: Rule = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
const areTexts: Rule = (value) => Array.isArray(value) && value.every(isText);
const oneOf =
  (...values: readonly string[]): Rule =>
  (value) =>
    values.some((each) => each === value);

const CSV: Readonly<Record<keyof api.CsvLayout, Rule>> = {
  ...{ delimiter: isText, quote: isText, escape: isText, comment: isText },
  ...{ dateFormat: isText, timestampFormat: isText, decimalSeparator: oneOf(".", ",") },
  ...{ header: isFlag, nullStrings: areTexts, skipLines: isCount },
};

const JSON_LAYOUT: Readonly<Record<keyof api.JsonLayout, Rule>> = {
  ...{ layout: oneOf("auto", "array", "newline"), dateFormat: isText, timestampFormat: isText },
};

/** What a package says of files, once it was found to be that; anything else in it is left out. Throws where it is none. */
export function checkedScan(told: api.FileScan): api.FileScan {
  if (typeof told !== "object" || told === null) throw new TypeError("its scan of files is no object");
  const { kind, paths, csv, json, columns, declaredTypes, keep } = told;
  if (!oneOf("csv", "json", "parquet")(kind)) throw new TypeError("its scan's kind is none of csv, json, parquet");
  if (!areTexts(paths)) throw new TypeError("its scan's paths are no list of texts");
  if (keep !== undefined && !areTexts(keep))
    throw new TypeError("the columns that its scan keeps are no list of texts");
  const types = Object.entries(declaredTypes ?? {}).map(([name, type]) => [name, typeOf(name, type)] as const);
  return {
    ...{ kind, paths },
    ...(csv !== undefined && { csv: layoutOf<api.CsvLayout>("csv", csv, CSV) }),
    ...(json !== undefined && { json: layoutOf<api.JsonLayout>("json", json, JSON_LAYOUT) }),
    ...(columns !== undefined && { columns }),
    ...(declaredTypes !== undefined && { declaredTypes: Object.fromEntries(types) }),
    ...(keep !== undefined && { keep }),
  };
}

function layoutOf<T extends object>(what: string, told: T, rules: Readonly<Record<keyof T, Rule>>): T {
  const given = Object.entries(rules).map(([name, rule]) => [name, (told as never)[name], rule as Rule] as const);
  const known = given.filter(([, value]) => value !== undefined);
  const wrong = known.find(([, value, rule]) => !rule(value));
  if (wrong !== undefined) throw new TypeError(`its scan's ${what}.${wrong[0]} is not what it should be`);
  return Object.fromEntries(known.map(([name, value]) => [name, value])) as T;
}
