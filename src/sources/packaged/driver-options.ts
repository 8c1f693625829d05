import type { KindDescriptor } from "@drover/connector";
import { DECLARABLE_TYPES } from "../../engine/declared-type.ts";
import { sharedSettings } from "../common-options.ts";
import type { Connector, SourceSpec } from "../connector.ts";
import { parseOptions } from "../option-values.ts";
import type { OptionSchema } from "../options.ts";
import { parserOptions, parsersOf } from "../parsers/options.ts";
import { withParsers } from "../parsers/parsed-connector.ts";

type Described = Pick<KindDescriptor, "kind" | "options" | "connectionOptions">;

const types = {
  types: {
    type: "stringMap",
    doc: `Types of columns by name, instead of the source's own: ${DECLARABLE_TYPES.join(", ")} or DECIMAL(p,s). A value that does not fit is an error.`,
    default: "the source's",
    example: "price=DECIMAL(18,2)",
  },
} as const satisfies OptionSchema;

/** What the driver sees to for kinds of packages: value parsers and declared types, unless a kind has such options of its own. */
export function driverOptions({ options, connectionOptions = {} }: Described): OptionSchema {
  const own = { ...connectionOptions, ...options };
  const typed = Object.hasOwn(own, "types");
  if (Object.hasOwn(own, "parsers") || (typed && options.types?.type !== "stringMap")) return {};
  return typed ? parserOptions : { ...parserOptions, ...types };
}

/** Throws INVALID_OPTION for those that can't be meant. */
export function checkDriverOptions(described: Described, given: SourceSpec["options"]): void {
  const offered = driverOptions(described);
  const ofDriver = Object.entries(given).filter(([name]) => Object.hasOwn(offered, name.split(".", 1)[0] ?? ""));
  const values = parseOptions(described.kind, offered, Object.fromEntries(ofDriver));
  parsersOf(values);
  sharedSettings(values);
}

/** A package's connector with what the driver sees to. */
export function withDriverOptions(connector: Connector, described: Described): Connector {
  const offered = driverOptions(described);
  return Object.hasOwn(offered, "parsers")
    ? withParsers(connector, { casts: Object.hasOwn(offered, "types") })
    : connector;
}
