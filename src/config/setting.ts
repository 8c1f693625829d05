import { DriverError } from "../errors/driver-error.ts";
import type { Machine } from "./machine.ts";
import { formatBytes, formatDuration, parseBytes, parseDuration } from "./units.ts";

/** One setting: makes its type, its default, its validation and its line in docs/configuration.md. */
export interface Setting<T> {
  readonly doc: string;
  /** The kind of value in words, for the documentation. */
  readonly kind: string;
  /** Whether it is a table in a file, whose keys are no settings. */
  readonly isTable?: true;
  /** Computed once at start; `text` is what the documentation says. */
  readonly fallback: { readonly text: string; value(machine: Machine): T };
  /** Reads what a file, an environment variable or a flag gave. Throws CONFIG_INVALID without the place. */
  read(raw: unknown): T;
  /** Writes a value as `read` takes it, for `config show`. */
  show(value: T): string;
}

// biome-ignore lint/suspicious/noExplicitAny: a group holds settings of every type; their own types survive in ConfigOf.
export type SettingGroup = { readonly [name: string]: Setting<any> | SettingGroup };

/** The configuration that a group of settings describes. */
export type ConfigOf<G> = {
  readonly [K in keyof G]: G[K] extends Setting<infer T> ? T : ConfigOf<G[K]>;
};

// biome-ignore lint/suspicious/noExplicitAny: as above.
export function isSetting(entry: Setting<any> | SettingGroup): entry is Setting<any> {
  return typeof entry.read === "function";
}

interface Described<T> {
  readonly doc: string;
  readonly default: T;
}

interface Computed<T> {
  readonly doc: string;
  readonly default: { readonly text: string; value(machine: Machine): T };
}

function fallbackOf<T>(given: T | Computed<T>["default"], show: (value: T) => string): Setting<T>["fallback"] {
  if (typeof given === "object" && given !== null && "value" in given) return given as Computed<T>["default"];
  const value = given as T;
  return { text: show(value), value: () => value };
}

function invalid(message: string): DriverError {
  return new DriverError("CONFIG_INVALID", message);
}

function expectText(raw: unknown, what: string): string {
  if (typeof raw !== "string") throw invalid(`expected ${what}, got ${JSON.stringify(raw)}`);
  return raw;
}

/** Text; empty means not set. */
export function text(
  options: Described<string> & { readonly kind?: string; readonly pattern?: RegExp },
): Setting<string> {
  return {
    doc: options.doc,
    kind: options.kind ?? "text",
    fallback: fallbackOf(options.default, (value) => value),
    show: (value) => value,
    read: (raw) => {
      const value = expectText(raw, options.kind ?? "text");
      if (options.pattern && value !== "" && !options.pattern.test(value)) {
        throw invalid(`${JSON.stringify(value)} is not ${options.kind ?? "valid"}`);
      }
      return value;
    },
  };
}

/** A whole number within bounds. */
export function integer(
  options: (Described<number> | Computed<number>) & { readonly min: number; readonly max: number },
): Setting<number> {
  return {
    doc: options.doc,
    kind: `whole number, ${options.min} to ${options.max}`,
    fallback: fallbackOf(options.default, String),
    show: String,
    read: (raw) => {
      const value = typeof raw === "string" && /^-?\d+$/.test(raw.trim()) ? Number(raw) : raw;
      const whole = typeof value === "bigint" ? Number(value) : value;
      if (typeof whole !== "number" || !Number.isSafeInteger(whole) || whole < options.min || whole > options.max) {
        throw invalid(`expected a whole number from ${options.min} to ${options.max}, got ${String(raw)}`);
      }
      return whole;
    },
  };
}

/** True or false. */
export function boolean(options: Described<boolean>): Setting<boolean> {
  return {
    doc: options.doc,
    kind: "`true` or `false`",
    fallback: fallbackOf(options.default, String),
    show: String,
    read: (raw) => {
      if (raw === true || raw === "true") return true;
      if (raw === false || raw === "false") return false;
      throw invalid(`expected true or false, got ${JSON.stringify(raw)}`);
    },
  };
}

/** Bytes, written as `512MB`. */
export function bytes(
  options: (Described<number> | Computed<number>) & { readonly min?: number; readonly max?: number },
): Setting<number> {
  return quantity({ ...options, kind: "size", parse: parseBytes, format: formatBytes });
}

/** Milliseconds, written as `30s`. */
export function duration(
  options: (Described<number> | Computed<number>) & { readonly min?: number; readonly max?: number },
): Setting<number> {
  return quantity({ ...options, kind: "duration", parse: parseDuration, format: formatDuration });
}

function quantity(
  options: (Described<number> | Computed<number>) & {
    readonly kind: string;
    readonly min?: number;
    readonly max?: number;
    parse(text: string): number;
    format(value: number): string;
  },
): Setting<number> {
  const min = options.min ?? 0;
  const max = options.max ?? Number.MAX_SAFE_INTEGER;
  return {
    doc: options.doc,
    kind: options.kind,
    fallback: fallbackOf(options.default, options.format),
    show: options.format,
    read: (raw) => {
      // A bare 0 needs no unit; any other bare number could be meant in several.
      const value =
        raw === 0 || raw === "0" ? 0 : options.parse(expectText(raw, `a ${options.kind} in quotes with its unit`));
      if (value < min) throw invalid(`${String(raw)} is less than ${options.format(min)}`);
      if (value > max) throw invalid(`${String(raw)} is more than ${options.format(max)}`);
      return value;
    },
  };
}

/** One of a few words. */
export function choice<const T extends string>(
  options: Described<NoInfer<T>> & { readonly choices: readonly T[] },
): Setting<T> {
  const kind = options.choices.map((word) => `\`${word}\``).join(", ");
  return {
    doc: options.doc,
    kind,
    fallback: fallbackOf<T>(options.default, (value) => value),
    show: (value) => value,
    read: (raw) => {
      const found = options.choices.find((word) => word === raw);
      if (found === undefined)
        throw invalid(`expected one of ${options.choices.join(", ")}, got ${JSON.stringify(raw)}`);
      return found;
    },
  };
}

/** Several texts: a list in a file, separated by commas elsewhere. */
export function list(options: {
  readonly doc: string;
  readonly kind?: string;
  readonly default: readonly string[] | Computed<readonly string[]>["default"];
}): Setting<readonly string[]> {
  return {
    doc: options.doc,
    kind: options.kind ?? "list of texts",
    fallback: fallbackOf<readonly string[]>(options.default, (value) => value.join(",")),
    show: (value) => value.join(","),
    read: (raw) => {
      if (typeof raw === "string") {
        return raw
          .split(",")
          .map((part) => part.trim())
          .filter((part) => part !== "");
      }
      if (Array.isArray(raw) && raw.every((part): part is string => typeof part === "string")) return raw;
      throw invalid(`expected a list of texts, got ${JSON.stringify(raw)}`);
    },
  };
}

/** Texts by name: a table in a file, `NAME=TEXT,…` elsewhere. */
export function map(options: {
  readonly doc: string;
  /** What a pair is called: `KIND=SET`. */
  readonly pair: string;
}): Setting<Readonly<Record<string, string>>> {
  const { doc, pair } = options;
  return {
    doc,
    kind: `\`${pair},…\`, in a file a table`,
    isTable: true,
    fallback: { text: "", value: () => ({}) },
    show: (value) =>
      Object.entries(value)
        .map(([name, text]) => `${name}=${text}`)
        .join(","),
    read: (raw) => {
      const pairs = typeof raw === "string" ? pairsOf(raw, pair) : entriesOf(raw);
      const empty = pairs.find(([name, text]) => name === "" || text === "");
      if (empty !== undefined) throw invalid(`expected ${pair}, got ${JSON.stringify(empty.join("="))}`);
      const twice = pairs.find(([name], index) => pairs.findIndex(([other]) => other === name) < index);
      if (twice !== undefined) throw invalid(`${JSON.stringify(twice[0])} is there twice`);
      return Object.fromEntries(pairs);
    },
  };
}

type Pair = readonly [name: string, text: string];

/** The last `=` counts: a name may hold one. */
function pairsOf(text: string, pair: string): readonly Pair[] {
  const parts = text.split(",").map((part) => part.trim());
  return parts
    .filter((part) => part !== "")
    .map((part) => {
      const at = part.lastIndexOf("=");
      if (at < 0) throw invalid(`expected ${pair}, got ${JSON.stringify(part)}`);
      return [part.slice(0, at).trim(), part.slice(at + 1).trim()] as const;
    });
}

function entriesOf(raw: unknown): readonly Pair[] {
  if (typeof raw !== "object" || raw === null || Array.isArray(raw))
    throw invalid(`expected a table, got ${JSON.stringify(raw)}`);
  return Object.entries(raw).map(([name, text]) => {
    if (typeof text !== "string") throw invalid(`${name}: expected a text, got ${JSON.stringify(text)}`);
    return [name, text] as const;
  });
}
