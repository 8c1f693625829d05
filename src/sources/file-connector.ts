import type { FileScan } from "../engine/file-scan.ts";
import type { Connector, Source, SourceContext, SourceSession } from "./connector.ts";
import { findFiles, requireUnchanged } from "./source-files.ts";

/** Checks place and options, expands globs, makes copies where the engine can't read the files, and describes them. */
export type DescribeFiles = (source: Source, context: SourceContext) => Promise<FileScan>;

/** A connector whose files the engine reads by itself: one partition, in which the engine uses all its threads. */
export function fileConnector(kind: string, describe: DescribeFiles): Connector {
  return { kind, open: async (source, context) => new FileSession(source, context, describe) };
}

class FileSession implements SourceSession {
  readonly #source: Source;
  readonly #context: SourceContext;
  readonly #describe: DescribeFiles;
  #scan: FileScan | undefined;

  constructor(source: Source, context: SourceContext, describe: DescribeFiles) {
    this.#source = source;
    this.#context = context;
    this.#describe = describe;
  }

  async test() {
    const files = await findFiles(this.#source, this.#context);
    const bytes = files.reduce((total, file) => total + file.bytes, 0);
    return { description: `${files.length === 1 ? "1 file" : `${files.length} files`}, ${bytes} bytes` };
  }

  async plan() {
    this.#scan = await this.#describe(this.#source, this.#context);
    return { columns: undefined, partitions: [{}], totalBytes: this.#scan.totalBytes, warnings: [] };
  }

  async read() {
    this.#scan ??= await this.#describe(this.#source, this.#context);
    return { form: "files", scan: this.#scan } as const;
  }

  async requireUnchanged() {
    if (this.#scan) await requireUnchanged(this.#scan.origins, this.#context);
  }

  async [Symbol.asyncDispose]() {}
}
