import { type FileHandle, open } from "node:fs/promises";
import { type Connector, ConnectorError, parseOptions, type SourceContext, type SourceFile } from "@drover/connector";
import { decoderOf } from "./code-pages.ts";
import { columnOf, type Field, type Header, isInRecord, readHeader } from "./header.ts";
import { kind } from "./kind.ts";
import { readRecords } from "./records.ts";

export { kind };

/** What a worker runs. */
export const connector: Connector = {
  kind: "dbf",
  async open(source, context) {
    const options = parseOptions("dbf", kind.options, source.options);
    const deleted = options.flag("deleted") ?? false;
    // What is open is closed if anything fails from here on.
    await using opening = new AsyncDisposableStack();
    const tables = await openTables(context, opening);
    const [{ header, file }] = tables;
    const { name: codePage, decode } = decoderOf(options.text("encoding"), header.codePage);
    const fields = header.fields.filter(isInRecord);
    const left = header.fields.filter((field) => !isInRecord(field)).map(({ name }) => name);
    const records = tables.reduce((sum, table) => sum + table.header.records, 0);
    const opened = opening.move();
    return {
      // What people see of it: in `drover sources test`, and as the package's self-test in `drover library-sets check`.
      test: async () => ({
        description: `dBASE, ${records} records in ${tables.length === 1 ? file.name : `${tables.length} files`}, ${codePage}`,
      }),
      plan: async ({ maxPartitions }) => ({
        columns: fields.map(columnOf),
        partitions: tables.flatMap((table, at) =>
          rangesOf(table.header.records, maxPartitions).map((range) => ({ table: at, ...range })),
        ),
        // Files are what they are: other workers find the same ones, and the driver sees to it that they do not change.
        shared: {},
        totalBytes: tables.reduce((sum, table) => sum + table.file.bytes, 0),
        estimatedRows: records,
        warnings: left.length === 0 ? [] : [`memo fields are left out: ${left.join(", ")}`],
      }),
      async join() {},
      // A partition is plain data, because another worker may read it.
      async read({ table: at, first, count }) {
        const table = tables[Number(at)] ?? tables[0];
        const range = { first: Number(first), count: Number(count) };
        const { signal } = context;
        return {
          form: "batches",
          batches: readRecords(table.handle, range, { header: table.header, fields, decode, deleted, signal }),
        };
      },
      [Symbol.asyncDispose]: () => opened.disposeAsync(),
    };
  },
};

interface Table {
  readonly file: SourceFile;
  readonly handle: FileHandle;
  readonly header: Header;
}

/** Opens the source's files, which must have the same fields. */
async function openTables(context: SourceContext, opened: AsyncDisposableStack): Promise<readonly [Table, ...Table[]]> {
  const tables: Table[] = [];
  for (const file of await context.files()) tables.push(await openTable(file, opened));
  const [first, ...more] = tables;
  if (first === undefined) throw new ConnectorError("SOURCE_NOT_FOUND", "the source names no file");
  const other = more.find(({ header }) => shapeOf(header.fields) !== shapeOf(first.header.fields));
  if (other === undefined) return [first, ...more];
  throw new ConnectorError("MALFORMED_SOURCE", `${other.file.name} has other fields than ${first.file.name}`, {
    file: other.file.name,
  });
}

async function openTable(file: SourceFile, opened: AsyncDisposableStack): Promise<Table> {
  const handle = opened.use(await open(file.path));
  const header = await readHeader(handle, file.name);
  const needed = header.headerBytes + header.records * header.recordBytes;
  if (file.bytes >= needed) return { file, handle, header };
  throw new ConnectorError(
    "SOURCE_TRUNCATED",
    `${file.name} has ${file.bytes} bytes; its ${header.records} records take ${needed}`,
    { file: file.name },
  );
}

function shapeOf(fields: readonly Field[]): string {
  return JSON.stringify(fields);
}

const MIN_PART_RECORDS = 100_000;

function rangesOf(
  records: number,
  maxPartitions: number,
): readonly { readonly first: number; readonly count: number }[] {
  const parts = Math.max(1, Math.min(maxPartitions, Math.ceil(records / MIN_PART_RECORDS)));
  const size = Math.ceil(records / parts);
  return Array.from({ length: parts }, (_, at) => ({
    first: at * size,
    count: Math.max(0, Math.min(size, records - at * size)),
  }));
}
