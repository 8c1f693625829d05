import { serialize } from "node:v8";

const MAX_TEXT = 2_000;
const MAX_TEXTS = 100;
const MAX_DATA_BYTES = 16e6;

/** What a package says for people. */
export function boundedText(said: unknown): string {
  const text = String(said);
  return (text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT - 1)}…`).toWellFormed();
}

export function boundedTexts(said: readonly unknown[]): readonly string[] {
  return [...said].slice(0, MAX_TEXTS).map(boundedText);
}

/** Data for other processes. Throws where it is none, or too much of it to be kept for a load. */
export function requireData(what: string, value: unknown): void {
  const bytes = sizeOf(what, value);
  if (bytes > MAX_DATA_BYTES) throw new TypeError(`${what} takes ${mb(bytes)} MB; it may take ${mb(MAX_DATA_BYTES)}`);
}

function mb(bytes: number): number {
  return Math.round(bytes / 1e6);
}

function sizeOf(what: string, value: unknown): number {
  try {
    return serialize(value).length;
  } catch (error) {
    throw new TypeError(`${what} is no plain data: ${(error as Error).message}`, { cause: error });
  }
}

/** A number of rows or bytes, as a package counts or estimates it; undefined where it is none. */
export function countOf(told: unknown): number | undefined {
  const count = Math.floor(Number(told));
  return count >= 0 && Number.isSafeInteger(count) ? count : undefined;
}
