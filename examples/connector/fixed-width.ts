import { createReadStream } from "node:fs";
import {
  type ColumnBatch,
  type Connector,
  invalidOption,
  type KindDescriptor,
  parseOptions,
  type SourceColumn,
  type SourceContext,
} from "@drover/connector";

/** What the driver knows. */
export const kind = {
  kind: "fixed",
  summary: "Lines whose columns have fixed widths.",
  extensions: ["fixed"],
  options: {
    columns: { type: "stringMap", doc: "The width of each column, in order.", example: "name=20,born=10" },
  },
} as const satisfies KindDescriptor;

/** What a worker runs. */
export const connector: Connector = {
  kind: "fixed",
  async open(source, context) {
    const widths = widthsOf(source.options);
    const files = await context.files();
    const columns = widths.map(([name]): SourceColumn => ({ name, type: "VARCHAR" }));
    return {
      test: async () => ({ description: `${files.length} files` }),
      // A partition is plain data, because another worker may read it; each file could be read by one of its own.
      plan: async () => ({ columns, partitions: files.map(({ path }) => ({ path })) }),
      read: async ({ path }) => ({ form: "batches", batches: batchesOf(String(path), widths, context) }),
      async [Symbol.asyncDispose]() {},
    };
  },
};

type Widths = readonly (readonly [name: string, width: number])[];

function widthsOf(given: Readonly<Record<string, unknown>>): Widths {
  const columns = Object.entries(parseOptions("fixed", kind.options, given).map("columns") ?? {});
  const widths = columns.map(([name, width]) => [name, Number(width)] as const);
  if (widths.length > 0 && widths.every(([, width]) => Number.isInteger(width) && width > 0)) return widths;
  throw invalidOption("columns", given.columns, "a map of names and widths");
}

/** A batch for each chunk of the file, so that no more than a chunk is held. */
async function* batchesOf(path: string, widths: Widths, { signal }: SourceContext): AsyncGenerator<ColumnBatch> {
  let rest = "";
  for await (const chunk of createReadStream(path, { encoding: "utf8", signal })) {
    const lines = (rest + chunk).split("\n");
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
