import { suggest } from "../../config/suggest.ts";
import { DriverError } from "../../errors/driver-error.ts";
import { type OptionValues, parseOptions } from "../option-values.ts";
import type { OptionSchema } from "../options.ts";
import { shownUri } from "../shown-uri.ts";
import type { DatabaseUrl } from "./url.ts";

/** What a parameter of a URL means: an option of the connection, or why it is refused. */
export type UrlParameter =
  /** `read` makes the option's value of the parameter's; undefined where it can't be used. Default: the text itself. */
  | { readonly option: string; readonly read?: (value: string) => string | undefined; readonly takes?: string }
  /** Known elsewhere, and of no use here: any value would have to be left out without a word. */
  | { readonly refused: string }
  /** Makes no difference here, whatever its value: the reason stands beside it. */
  | { readonly harmless: string };

export type UrlParameters = Readonly<Record<string, UrlParameter>>;

/**
 * The options of a connection, from its own options and its URL's parameters, checked against their schema. Every parameter
 * is honoured or refused by name. Throws UNKNOWN_URL_PARAMETER, INVALID_URL_PARAMETER, UNKNOWN_OPTION, INVALID_OPTION.
 */
export function connectionValues(
  kind: string,
  schema: OptionSchema,
  known: UrlParameters,
  url: DatabaseUrl,
  options: Readonly<Record<string, unknown>>,
): OptionValues {
  const merged: Record<string, unknown> = { ...options };
  const origins = new Map<string, string>();
  for (const [name, value] of url.parameters) {
    const parameter = Object.hasOwn(known, name) ? known[name] : undefined;
    if (parameter === undefined) throw unknownParameter(kind, name, Object.keys(known));
    if ("refused" in parameter) throw invalidParameter(name, value, parameter.refused);
    if ("harmless" in parameter) continue;
    const read = parameter.read ? parameter.read(value) : value;
    if (read === undefined) throw invalidParameter(name, value, `takes ${parameter.takes ?? "another value"}`);
    const given = merged[parameter.option];
    const other = origins.get(parameter.option) ?? `the option ${parameter.option}`;
    if (given !== undefined && given !== null && String(given) !== read)
      throw invalidParameter(name, value, `contradicts ${other}`);
    merged[parameter.option] = read;
    origins.set(parameter.option, `the parameter ${JSON.stringify(name)}`);
  }
  return parseOptions(kind, schema, merged);
}

function unknownParameter(kind: string, name: string, known: readonly string[]): DriverError {
  return new DriverError(
    "UNKNOWN_URL_PARAMETER",
    `the URL's parameter ${JSON.stringify(name)} is not one that ${kind} knows${suggest(name, known)}`,
    { metadata: { parameter: name, kind } },
  );
}

function invalidParameter(name: string, value: string, why: string): DriverError {
  const shown = shownUri(value).slice(0, 200);
  return new DriverError("INVALID_URL_PARAMETER", `the URL's parameter ${name}=${shown}: ${why}`, {
    metadata: { parameter: name },
  });
}
