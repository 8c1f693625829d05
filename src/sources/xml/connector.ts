import type { FileOrigin, FileScan } from "../../engine/file-scan.ts";
import { DriverError } from "../../errors/driver-error.ts";
import type { Connector, PlanOptions, Source, SourceContext, SourceSession } from "../connector.ts";
import { ShownNames } from "../shown-names.ts";
import { findFiles, requireUnchanged } from "../source-files.ts";
import { findRecordPath, suggestionsOf } from "./find-path.ts";
import { settingsOf, type XmlSettings } from "./options.ts";
import { readRecords } from "./read-records.ts";

/** Rows of a preview; the first part of a file is enough. */
const PREVIEW_RECORDS = 1_000;

/** Reads XML record by record: into files in the exchange dialect, which the engine then reads. */
export const xml: Connector = {
  kind: "xml",
  open: async (source, context) => new XmlSession(source, context, settingsOf(source.options)),
};

class XmlSession implements SourceSession {
  readonly #source: Source;
  readonly #context: SourceContext;
  readonly #settings: XmlSettings;
  #origins: readonly FileOrigin[] | undefined;
  #maxRecords = Number.POSITIVE_INFINITY;

  constructor(source: Source, context: SourceContext, settings: XmlSettings) {
    this.#source = source;
    this.#context = context;
    this.#settings = settings;
  }

  async test() {
    const origins = await this.#files();
    const { path } = await findRecordPath(origins, this.#settings, this.#context);
    const bytes = origins.reduce((total, origin) => total + origin.bytes, 0);
    const files = origins.length === 1 ? "1 file" : `${origins.length} files`;
    return { description: `${files}, ${bytes} bytes; the records are ${path.text}` };
  }

  async plan({ preview }: PlanOptions) {
    const origins = await this.#files();
    if (preview) this.#maxRecords = PREVIEW_RECORDS;
    const totalBytes = origins.reduce((total, { bytes }) => total + bytes, 0);
    const recordPaths = preview ? await this.#recordPaths(origins) : [];
    return { columns: undefined, partitions: [{}], totalBytes, recordPaths, warnings: [] };
  }

  async read() {
    const origins = await this.#files();
    const reading: Promise<FileScan> = readRecords(origins, this.#settings, {
      signal: this.#context.signal,
      workDirectory: this.#context.workDirectory,
      parsers: this.#context.parsers,
      onProgress: this.#context.onProgress,
      beginningBytes: this.#context.beginningBytes,
      maxRecords: this.#maxRecords,
    });
    const scan = await reading.catch((error: unknown) => {
      throw new ShownNames({ paths: [], origins }).error(error);
    });
    return { form: "files", scan } as const;
  }

  async requireUnchanged() {
    await requireUnchanged(await this.#files(), this.#context);
  }

  async #recordPaths(origins: readonly FileOrigin[]): Promise<readonly string[]> {
    const first = origins.find(({ bytes }) => bytes > 0);
    if (first === undefined) return [];
    const found = await suggestionsOf(first.path, this.#settings.encoding, this.#context);
    return found.map(({ path }) => path);
  }

  async #files(): Promise<readonly FileOrigin[]> {
    const { beginningBytes } = this.#context;
    this.#origins ??= await findFiles(this.#source, this.#context, { beginningBytes });
    if (this.#origins.length === 0) throw new DriverError("SOURCE_NOT_FOUND", "there are no files");
    return this.#origins;
  }

  async [Symbol.asyncDispose]() {}
}
