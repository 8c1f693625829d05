import { DriverError } from "../../../errors/driver-error.ts";
import { chunksOf } from "../../byte-stream.ts";
import type { FileScan } from "../../file-scan.ts";

export interface JsonPlace {
  readonly line: number;
  readonly column: number;
  readonly complaint: string;
}

const OPENING: Readonly<Record<string, string>> = { "}": "{", "]": "[" };

/**
 * Finds where brackets or strings of a JSON file go wrong. It checks what breaks files in practice (a bracket too many,
 * one too few, a string that does not end, a line cut short), not the whole grammar; undefined when those are in order.
 */
export async function brokenJsonLine(
  path: string,
  { signal }: { signal: AbortSignal },
): Promise<JsonPlace | undefined> {
  const open: { char: string; line: number; column: number }[] = [];
  let line = 1;
  let column = 0;
  let inString = false;
  let escaped = false;
  let started = { line: 1, column: 1 };
  const lines = { first: undefined as string | undefined };
  for await (const chunk of chunksOf(path, { signal })) {
    for (const byte of chunk) {
      const char = String.fromCharCode(byte);
      column++;
      if (inString) {
        if (escaped) escaped = false;
        else if (char === "\\") escaped = true;
        else if (char === '"') inString = false;
        else if (char === "\n") return { ...started, complaint: "a string does not end" };
      } else if (char === '"') {
        inString = true;
        started = { line, column };
      } else if (char === "{" || char === "[") {
        lines.first ??= char;
        // Records on lines of their own begin with nothing open.
        const outer = open.at(-1);
        if (char === "{" && lines.first === "{" && column === 1 && outer)
          return { ...outer, complaint: `a ${JSON.stringify(outer.char)} is not closed` };
        open.push({ char, line, column });
      } else if (char === "}" || char === "]") {
        const last = open.pop();
        if (last?.char !== OPENING[char])
          return { line, column, complaint: `a ${JSON.stringify(char)} closes nothing` };
      }
      if (char === "\n") {
        line++;
        column = 0;
      }
    }
  }
  if (inString) return { ...started, complaint: "a string does not end" };
  const last = open.at(-1);
  return last && { line: last.line, column: last.column, complaint: `a ${JSON.stringify(last.char)} is not closed` };
}

/** DuckDB counts lines of buffers, not of the file; the first broken line is looked for once more. */
export async function placed(error: DriverError, scan: FileScan, signal: AbortSignal): Promise<DriverError> {
  if (error.reason !== "MALFORMED_JSON") return error;
  for (const path of scan.paths) {
    const place = await brokenJsonLine(path, { signal });
    if (place === undefined) continue;
    return new DriverError(
      "MALFORMED_JSON",
      `${path}, line ${place.line}, column ${place.column}: ${place.complaint}`,
      {
        metadata: { file: path, line: String(place.line), column: String(place.column) },
        cause: error,
      },
    );
  }
  return error;
}
