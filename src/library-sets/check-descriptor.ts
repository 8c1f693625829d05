import { DriverError } from "../errors/driver-error.ts";
import type { KindDescriptor } from "../sources/connector.ts";
import { httpOptions } from "../sources/http/options.ts";
import type { OptionEntry, OptionSchema } from "../sources/options.ts";
import type { SetConnector } from "./model.ts";

type Json = { readonly [key: string]: unknown };

const EXTENSION = /^[a-z0-9]{1,32}$/;
const SCHEME = /^(?:jdbc:)?[a-z][a-z0-9+.-]{0,62}$/;
/** A dot in a name leads to an entry of a map. */
const OPTION = /^[a-zA-Z][a-zA-Z0-9_]{0,62}$/;
const TYPES: readonly string[] = [
  "string",
  "boolean",
  "integer",
  "stringList",
  "stringMap",
] satisfies OptionEntry["type"][];
const MAX_TEXT = 2_000;
const MAX_ITEMS = 200;

/** What a package says of a kind, once it was found to be that; anything else in it is left out. Throws CONNECTOR_INVALID. */
export function checkedDescriptor(
  told: unknown,
  { kind, package: name, version, module }: Pick<SetConnector, "kind" | "package" | "version" | "module">,
): KindDescriptor {
  const wrong = (why: string) =>
    new DriverError("CONNECTOR_INVALID", `${name}@${version}: ${module} describes its kind wrongly: ${why}`, {
      metadata: { package: name, version, module, kind },
    });
  if (!isObject(told)) throw wrong("it exports no `kind`");
  const { summary, extensions = [], schemes = [], options = {}, wholeFiles = false, connectionOptions } = told;
  if (told.kind !== kind) throw wrong(`\`kind\` is ${JSON.stringify(told.kind)}, not "${kind}" as in its package.json`);
  if (!isText(summary) || summary === "") throw wrong("`summary` is no text");
  if (!isList(extensions, EXTENSION)) throw wrong("`extensions` is no list of endings in lower case, without a point");
  if (!isList(schemes, SCHEME)) throw wrong("`schemes` is no list of schemes of URLs");
  if (typeof wholeFiles !== "boolean") throw wrong("`wholeFiles` is neither true nor false");
  const ofSource = schemaOf("options", options, wrong);
  const ofConnection =
    connectionOptions === undefined ? undefined : schemaOf("connectionOptions", connectionOptions, wrong);
  const taken = ofConnection === undefined ? Object.keys(httpOptions) : ["secret", ...Object.keys(ofConnection)];
  const twice = Object.keys(ofSource).find((option) => taken.includes(option));
  if (twice !== undefined) throw wrong(`the option ${twice} is the driver's own, or the connection's`);
  if (ofConnection !== undefined && "secret" in ofConnection) throw wrong("the option secret is the driver's own");
  return {
    ...{ kind, summary, extensions, options: ofSource },
    ...(schemes.length > 0 && { schemes }),
    ...(wholeFiles && { wholeFiles }),
    ...(ofConnection && { connectionOptions: ofConnection }),
  };
}

type Wrong = (why: string) => DriverError;

function schemaOf(field: string, told: unknown, wrong: Wrong): OptionSchema {
  if (!isObject(told) || Object.keys(told).length > MAX_ITEMS) throw wrong(`\`${field}\` is no set of options`);
  return Object.fromEntries(
    Object.entries(told).map(([name, entry]) => [name, entryOf(`${field}.${name}`, name, entry, wrong)]),
  );
}

function entryOf(field: string, name: string, told: unknown, wrong: Wrong): OptionEntry {
  if (!OPTION.test(name)) throw wrong(`\`${field}\` is no name of an option: letters and digits`);
  if (!isObject(told)) throw wrong(`\`${field}\` is no option`);
  const { type, doc, choices, ...texts } = told;
  if (!isText(type) || !TYPES.includes(type)) throw wrong(`\`${field}.type\` is none of ${TYPES.join(", ")}`);
  if (!isText(doc)) throw wrong(`\`${field}.doc\` is no text`);
  if (choices !== undefined && !isList(choices, /./s)) throw wrong(`\`${field}.choices\` is no list of texts`);
  for (const key of ["default", "example"])
    if (texts[key] !== undefined && !isText(texts[key])) throw wrong(`\`${field}.${key}\` is no text`);
  return {
    ...{ type: type as OptionEntry["type"], doc },
    ...(isText(texts.default) && { default: texts.default }),
    ...(isText(texts.example) && { example: texts.example }),
    ...(choices !== undefined && { choices }),
  };
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.length <= MAX_TEXT;
}

function isList(value: unknown, pattern: RegExp): value is readonly string[] {
  return Array.isArray(value) && value.length <= MAX_ITEMS && value.every((item) => isText(item) && pattern.test(item));
}
