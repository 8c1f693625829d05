import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { folderMode } from "../config/file-modes.ts";
import type { OperationProgress } from "../operations/model.ts";

/**
 * How far loads are, for other driver processes: a small file for each, next to what else does not outlive its process. The catalog
 * is no place for it: every write there would wake all processes.
 */
export interface ProgressNotes {
  /** Notes a load's progress now and then until it is disposed. Never fails. */
  keep(operationId: string, progress: () => OperationProgress | undefined): AsyncDisposable;
  /** The latest note of a load that a process carries out; undefined where there is none. */
  read(instanceId: string, operationId: string): Promise<OperationProgress | undefined>;
}

const EVERY_MS = 250;

export interface ProgressNotesOptions {
  readonly instanceId: string;
  /** Where a process keeps what does not outlive it. */
  readonly folderOf: (instanceId: string) => string;
}

export function createProgressNotes({ instanceId, folderOf }: ProgressNotesOptions): ProgressNotes {
  const folder = (instance: string) => join(folderOf(instance), "loads");
  const fileOf = (instance: string, operationId: string) => join(folder(instance), `${operationId}.json`);
  return {
    keep(operationId, progress) {
      const file = fileOf(instanceId, operationId);
      let noted = "";
      let writing = Promise.resolve();
      const note = async () => {
        const text = JSON.stringify(progress() ?? {});
        if (text === noted) return;
        noted = text;
        await mkdir(folder(instanceId), { recursive: true, mode: folderMode() });
        await writeFile(`${file}.new`, text);
        await rename(`${file}.new`, file);
      };
      const timer = setInterval(() => {
        // A full disk must not end a load.
        writing = writing.then(note).catch(() => undefined);
      }, EVERY_MS).unref();
      return {
        [Symbol.asyncDispose]: async () => {
          clearInterval(timer);
          await writing;
          await Promise.all([file, `${file}.new`].map((path) => rm(path, { force: true }).catch(() => undefined)));
        },
      };
    },
    async read(instance, operationId) {
      try {
        const note = JSON.parse(await readFile(fileOf(instance, operationId), "utf8"));
        return { ...NOTHING, ...note };
      } catch {
        return undefined;
      }
    },
  };
}

const NOTHING: OperationProgress = {
  ...{ fraction: undefined, rows: 0, bytes: 0, totalBytes: 0, rowsPerSecond: 0, bytesPerSecond: 0, phase: "" },
};
