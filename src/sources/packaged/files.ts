import { realpath, stat } from "node:fs/promises";
import type * as api from "@drover/connector";
import type { FileOrigin, FileScan } from "../../engine/file-scan.ts";
import type { Source, SourceContext } from "../connector.ts";
import { isBelow } from "../path-roots.ts";
import { findFiles, requireUnchanged, shownName } from "../source-files.ts";
import { columnsOf } from "./plan.ts";
import { checkedScan } from "./scan.ts";

/** The files of a source whose connector lies in a package: found once, by the worker, which knows what may be read. */
export class PackagedFiles {
  readonly #source: Source;
  readonly #context: SourceContext;
  #found: Promise<readonly FileOrigin[]> | undefined;

  constructor(source: Source, context: SourceContext) {
    this.#source = source;
    this.#context = context;
  }

  async list(): Promise<readonly api.SourceFile[]> {
    const origins = await this.#origins();
    const arriving = this.#source.arriving ?? false;
    return origins.map((origin) => ({
      path: origin.path,
      name: shownName(origin),
      bytes: origin.bytes,
      partial: arriving || (origin.partial ?? false),
    }));
  }

  /** Throws SOURCE_CHANGED. */
  async requireUnchanged(): Promise<void> {
    if (this.#found !== undefined) await requireUnchanged(await this.#found, this.#context);
  }

  /** Files for the engine, which reads them by means that nobody confines: only the source's own and what the session has made. */
  async scan(scan: api.FileScan): Promise<FileScan> {
    const checked = checkedScan(scan);
    const origins = await this.#origins();
    const own = await realpath(this.#context.workDirectory);
    let totalBytes = 0;
    for (const path of checked.paths) {
      const origin = origins.find((each) => each.path === path);
      if (origin === undefined && !isBelow(await realpath(path), own))
        throw new Error(`${path} is neither a file of the source nor in the session's folder`);
      totalBytes += origin?.bytes ?? (await stat(path)).size;
    }
    const { kind, paths, csv, json, columns, declaredTypes, keep } = checked;
    return {
      ...{ kind, paths, totalBytes, origins },
      ...(csv && { csv }),
      ...(json && { json }),
      ...(columns && { columns: columnsOf(columns) }),
      ...(declaredTypes && { declaredTypes }),
      ...(keep && { keep }),
      cut: (this.#source.arriving ?? false) || origins.some(({ partial }) => partial),
      badRows: { policy: "fail" },
    };
  }

  #origins(): Promise<readonly FileOrigin[]> {
    const { beginningBytes } = this.#context;
    this.#found ??= findFiles(this.#source, this.#context, { beginningBytes });
    return this.#found;
  }
}
