import { chunksOf } from "../../byte-stream.ts";
import type { ScanColumn } from "../../file-scan.ts";
import type { Broken } from "./csv-diagnosis.ts";
import { type KnownScan, neededColumns, recordSyntax } from "./csv-scan.ts";
import { TextVerifier, type VerifiedType } from "./text-verifier.ts";

/** From this many typed columns on, texts are checked beside the engine rather than in its statement. */
const MIN_COLUMNS = 256;
const VERIFIED: ReadonlySet<string> = new Set<VerifiedType>(["BIGINT", "DOUBLE", "BOOLEAN", "DATE", "TIMESTAMP"]);

/** Checks the texts of wide files while the engine reads them; does nothing for others. */
export class Verification implements AsyncDisposable {
  /** The columns that the engine's reader may convert by itself. */
  readonly native: ReadonlySet<number>;
  /** Aborted when a value is found that does not fit. */
  readonly contradicted: AbortSignal;
  readonly #contradiction: AbortController;
  readonly #stop = new AbortController();
  readonly #result: Promise<readonly Broken[]>;

  private constructor(scan: KnownScan, native: ReadonlySet<number>, signal: AbortSignal) {
    this.native = native;
    this.#contradiction = new AbortController();
    this.contradicted = this.#contradiction.signal;
    this.#result = this.#verify(scan, AbortSignal.any([signal, this.#stop.signal]));
    this.#result.catch(() => undefined);
  }

  static start(scan: KnownScan, signal: AbortSignal): Verification {
    const columns = neededColumns(scan).filter(({ column }) => isVerifiable(scan, column));
    const native = new Set(columns.length < MIN_COLUMNS ? [] : columns.map(({ index }) => index));
    return new Verification(scan, native, signal);
  }

  /** The columns with a value that does not fit, once all files have been seen. */
  result(): Promise<readonly Broken[]> {
    return this.#result;
  }

  async #verify(scan: KnownScan, signal: AbortSignal): Promise<readonly Broken[]> {
    if (this.native.size === 0) return [];
    const broken = new Map<number, Broken>();
    const types = scan.columns.map(({ type }, index) => (this.native.has(index) ? (type as VerifiedType) : undefined));
    for (const path of scan.paths) {
      const verifier = new TextVerifier(types, { ...recordSyntax(scan), nullStrings: scan.csv?.nullStrings ?? [] });
      for await (const chunk of chunksOf(path, { signal })) {
        verifier.push(chunk);
        if (verifier.broken.size > 0) this.#contradiction.abort();
      }
      verifier.end();
      for (const [index, example] of verifier.broken) {
        const column = scan.columns[index];
        if (column && !broken.has(index)) broken.set(index, { index, column, example });
      }
    }
    if (broken.size > 0) this.#contradiction.abort();
    return [...broken.values()].sort((left, right) => left.index - right.index);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#result.catch(() => undefined);
  }
}

function isVerifiable(scan: KnownScan, column: ScanColumn): boolean {
  const { decimalSeparator, dateFormat, timestampFormat } = scan.csv ?? {};
  // A source's own values may be written in other ways, and need no check.
  if (column.origin !== "inferred" || !VERIFIED.has(column.type)) return false;
  if (column.type === "DOUBLE") return decimalSeparator !== ",";
  if (column.type === "DATE") return dateFormat === undefined;
  return column.type !== "TIMESTAMP" || timestampFormat === undefined;
}
