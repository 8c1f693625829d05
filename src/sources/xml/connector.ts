import type { LoadProgress } from "../../engine/engine.ts";
import type { FileOrigin } from "../../engine/file-scan.ts";
import { DriverError } from "../../errors/driver-error.ts";
import type { Connector, PlanOptions, Source, SourceContext, SourceSession } from "../connector.ts";
import { FETCH_SHARE, testHttpSource } from "../http/fetch-source.ts";
import { isHttp } from "../http/options.ts";
import { ShownNames } from "../shown-names.ts";
import { findFiles, requireUnchanged } from "../source-files.ts";
import { findRecordPath, suggestionsOf } from "./find-path.ts";
import { settingsOf, type XmlSettings } from "./options.ts";
import { readRecords } from "./read-records.ts";

/** Rows of a preview; the first part of a file is enough. */
const PREVIEW_RECORDS = 1_000;
/** Of a file on a server, to find its records. */
const TEST_BYTES = 1024 * 1024;

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
    // No more than a look is taken at a file that is far away.
    const beginningBytes = isHttp(this.#source.uri) ? TEST_BYTES : undefined;
    const origins = await findFiles(this.#source, this.#context, { beginningBytes });
    const { path } = await named(
      origins,
      findRecordPath(origins, this.#settings, { ...this.#context, isCut: this.#isCut(origins) }),
    );
    return { description: `${await this.#described(origins)}; the records are ${path.text}` };
  }

  async plan({ preview }: PlanOptions) {
    const origins = await this.#files();
    if (preview) this.#maxRecords = PREVIEW_RECORDS;
    const totalBytes = origins.reduce((total, { bytes }) => total + bytes, 0);
    const recordPaths = preview ? await named(origins, this.#recordPaths(origins)) : [];
    return { columns: undefined, partitions: [{}], totalBytes, recordPaths, warnings: [] };
  }

  async read() {
    const origins = await this.#files();
    const { onProgress } = this.#context;
    // Of a file that was fetched first, reading is the second part of the progress.
    const share = isHttp(this.#source.uri) ? FETCH_SHARE : 0;
    const later = <P extends LoadProgress>(progress: P): P => ({
      ...progress,
      fraction: share + (1 - share) * (progress.fraction ?? 0),
    });
    const reading = readRecords(origins, this.#settings, {
      signal: this.#context.signal,
      workDirectory: this.#context.workDirectory,
      parsers: this.#context.parsers,
      onProgress: (progress) => onProgress?.(later(progress)),
      beginningBytes: this.#context.beginningBytes,
      isCut: this.#isCut(origins),
      maxRecords: this.#maxRecords,
    });
    const scan = await named(origins, reading);
    return { form: "files", scan: { ...scan, ...(scan.before && { before: later(scan.before) }) } } as const;
  }

  async requireUnchanged() {
    await requireUnchanged(await this.#files(), this.#context);
  }

  /** Whether there is more of the file somewhere: it still arrives, or only its beginning was fetched. */
  #isCut(origins: readonly FileOrigin[]): boolean {
    return this.#source.arriving === true || origins.some(({ partial }) => partial === true);
  }

  async #described(origins: readonly FileOrigin[]): Promise<string> {
    if (isHttp(this.#source.uri)) return testHttpSource(this.#source, this.#context);
    const bytes = origins.reduce((total, origin) => total + origin.bytes, 0);
    return `${origins.length === 1 ? "1 file" : `${origins.length} files`}, ${bytes} bytes`;
  }

  async #recordPaths(origins: readonly FileOrigin[]): Promise<readonly string[]> {
    const first = origins.find(({ bytes }) => bytes > 0);
    if (first === undefined) return [];
    const found = await suggestionsOf(first.path, this.#settings.encoding, {
      ...this.#context,
      isCut: this.#isCut(origins),
    });
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

/** Errors name files as people do, wherever the driver keeps them. */
function named<T>(origins: readonly FileOrigin[], work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) => {
    throw new ShownNames({ paths: [], origins }).error(error);
  });
}
