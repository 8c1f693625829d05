import type { FileScan } from "../engine/file-scan.ts";
import type { OptionSchema } from "./options.ts";

/** What a client named: a kind, a place and options as it gave them. */
export interface SourceSpec {
  readonly format: string | undefined;
  readonly uri: string;
  readonly options: Readonly<Record<string, unknown>>;
}

export interface ResolveContext {
  readonly signal: AbortSignal;
  /** Folders that paths must lie under, made real; undefined allows any. */
  readonly fileRoots: readonly string[] | undefined;
  /** A folder of this load's own for transcoded copies; removed when the load ends. */
  readonly workDirectory: string;
}

/** Code that reads one kind of source. */
export interface Connector {
  readonly kind: string;
  /** One sentence for docs/sources.md. */
  readonly summary: string;
  /** Endings that choose this kind, without compression: `csv`. */
  readonly extensions: readonly string[];
  readonly options: OptionSchema;
  /** Throws UNKNOWN_OPTION or INVALID_OPTION without looking at any file. */
  check(options: SourceSpec["options"]): void;
  /** Checks place and options, expands globs, transcodes where the engine can't read the text, and describes the files. */
  resolve(source: SourceSpec, context: ResolveContext): Promise<FileScan>;
}
