import { chunksOf } from "../../src/engine/byte-stream.ts";
import type { ScanColumn } from "../../src/engine/file-scan.ts";
import type { ColumnBatch, Connector, SourceContext, SourceKind } from "../../src/sources/connector.ts";
import { invalidOption, parseOptions } from "../../src/sources/option-values.ts";
import type { OptionSchema } from "../../src/sources/options.ts";
import { findFiles, requireUnchanged } from "../../src/sources/source-files.ts";

const options = {
  columns: { type: "stringMap", doc: "The width of each column, in order.", example: "name=20,born=10" },
} as const satisfies OptionSchema;

function widthsOf(given: Readonly<Record<string, unknown>>): readonly (readonly [name: string, width: number])[] {
  const columns = Object.entries(parseOptions("fixed", options, given).map("columns") ?? {});
  const widths = columns.map(([name, width]) => [name, Number(width)] as const);
  if (widths.length > 0 && widths.every(([, width]) => Number.isInteger(width) && width > 0)) return widths;
  throw invalidOption("columns", given.columns, "a map of names and widths");
}

/** What the driver knows. */
export const fixedKind: SourceKind = {
  kind: "fixed",
  summary: "Lines whose columns have fixed widths.",
  extensions: ["fixed"],
  options,
  check: (given) => void widthsOf(given),
};

/** What a worker runs. */
export const fixed: Connector = {
  kind: "fixed",
  async open(source, context) {
    const widths = widthsOf(source.options);
    const files = await findFiles(source, context);
    const columns: ScanColumn[] = widths.map(([name]) => ({
      name,
      sourceName: name,
      type: "VARCHAR",
      origin: "exact",
    }));
    const totalBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
    return {
      test: async () => ({ description: `${files.length} files` }),
      // A partition is plain data, because another worker may read it; each file could be read by one of its own.
      plan: async () => ({ columns, partitions: files.map(({ path }) => ({ path })), totalBytes, warnings: [] }),
      read: async ({ path }) => ({ form: "batches", batches: batchesOf(String(path), widths, context) }),
      requireUnchanged: () => requireUnchanged(files, context),
      async [Symbol.asyncDispose]() {},
    };
  },
};

type Widths = ReturnType<typeof widthsOf>;

/** A batch for each chunk of the file, so that no more than a chunk is held. */
async function* batchesOf(path: string, widths: Widths, { signal }: SourceContext): AsyncGenerator<ColumnBatch> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunksOf(path, { signal })) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield batchOf(lines, widths);
  }
  if (rest !== "") yield batchOf([rest], widths);
}

function batchOf(lines: readonly string[], widths: Widths): ColumnBatch {
  const ends = widths.map((_, index) => widths.slice(0, index + 1).reduce((sum, [, width]) => sum + width, 0));
  const columns = ends.map((end, index) => lines.map((line) => line.slice(ends[index - 1] ?? 0, end).trim()));
  return { rows: lines.length, columns };
}
