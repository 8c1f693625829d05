import { readFileSync } from "node:fs";
import { parse, TomlError } from "smol-toml";
import { DriverError } from "../errors/driver-error.ts";

/** A value of a configuration file with its dotted key and its place. */
export interface FileEntry {
  readonly key: string;
  readonly value: unknown;
  /** `FILE:LINE`. */
  readonly place: string;
}

/** A configuration file as it was at one moment. */
export interface ConfigFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly entries: readonly FileEntry[];
}

/**
 * Reads a TOML file into dotted keys; those of `tables` are whole tables. Answers undefined if it is not there. Throws
 * CONFIG_INVALID with file and line.
 */
export function readConfigFile(file: string, tables: ReadonlySet<string>): ConfigFile | undefined {
  const bytes = readBytes(file);
  if (bytes === undefined) return undefined;
  const source = new TextDecoder().decode(bytes);
  const lines = lineIndex(source);
  const place = (key: string) => {
    const line = lines.get(key) ?? lineBelow(lines, key);
    return line === undefined ? file : `${file}:${line}`;
  };
  return { path: file, bytes, entries: flatten(parseToml(source, file), [], tables, place) };
}

/** The file's bytes; undefined if it is not there. */
export function readBytes(file: string): Uint8Array | undefined {
  try {
    return readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new DriverError("CONFIG_INVALID", `${file} can't be read: ${(error as Error).message}`, { cause: error });
  }
}

function parseToml(source: string, file: string): Record<string, unknown> {
  try {
    return parse(source);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = error.message.split("\n")[0]?.replace(/^Invalid TOML document: /, "") ?? "not TOML";
    throw new DriverError("CONFIG_INVALID", `${file}:${error.line}:${error.column}: ${reason}`, { cause: error });
  }
}

function flatten(
  table: Record<string, unknown>,
  prefix: readonly string[],
  tables: ReadonlySet<string>,
  place: (key: string) => string,
): FileEntry[] {
  return Object.entries(table).flatMap(([name, value]) => {
    const path = [...prefix, name];
    const key = path.join(".");
    if (isTable(value) && !tables.has(key)) return flatten(value, path, tables, place);
    return [{ key, value, place: place(key) }];
  });
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** The line of each key. smol-toml keeps no positions; the settings need no more of TOML than tables and bare keys. */
function lineIndex(source: string): ReadonlyMap<string, number> {
  const lines = new Map<string, number>();
  let table = "";
  source.split("\n").forEach((line, index) => {
    const header = /^\s*\[([^\]]+)\]/.exec(line)?.[1];
    if (header !== undefined) {
      table = `${normalize(header)}.`;
      lines.set(normalize(header), index + 1);
    }
    const name = /^\s*([A-Za-z0-9_."' -]+?)\s*=/.exec(line)?.[1];
    if (name !== undefined) lines.set(table + normalize(name), index + 1);
  });
  return lines;
}

/** Where a table begins that has no line of its own: `librarySets.kinds.postgres = …`. */
function lineBelow(lines: ReadonlyMap<string, number>, key: string): number | undefined {
  for (const [below, line] of lines) if (below.startsWith(`${key}.`)) return line;
  return undefined;
}

function normalize(key: string): string {
  return key
    .split(".")
    .map((part) => part.trim().replace(/^(["'])(.*)\1$/, "$2"))
    .join(".");
}
