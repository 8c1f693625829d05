import type { FileScan } from "../engine/file-scan.ts";
import type { Connector, Source, SourceContext, SourceSession } from "./connector.ts";
import { FETCH_SHARE, testHttpSource } from "./http/fetch-source.ts";
import { isHttp } from "./http/options.ts";
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
    if (isHttp(this.#source.uri)) return { description: await testHttpSource(this.#source, this.#context) };
    const files = await findFiles(this.#source, this.#context);
    const bytes = files.reduce((total, file) => total + file.bytes, 0);
    return { description: `${files.length === 1 ? "1 file" : `${files.length} files`}, ${bytes} bytes` };
  }

  async plan() {
    this.#scan = await this.#described();
    return { columns: undefined, partitions: [{}], totalBytes: this.#scan.totalBytes, warnings: [] };
  }

  async read() {
    this.#scan ??= await this.#described();
    return { form: "files", scan: this.#scan } as const;
  }

  async #described(): Promise<FileScan> {
    const scan = await this.#describe(this.#source, this.#context);
    // The engine's part of the progress comes after that of the fetching.
    return isHttp(this.#source.uri) ? { ...scan, before: { fraction: FETCH_SHARE, rows: 0, bytes: 0 } } : scan;
  }

  async requireUnchanged() {
    if (this.#scan) await requireUnchanged(this.#scan.origins, this.#context);
  }

  async [Symbol.asyncDispose]() {}
}
