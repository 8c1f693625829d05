import { randomUUID } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Instance } from "../catalog/instance.ts";
import { folderMode } from "../config/file-modes.ts";
import { DriverError } from "../errors/driver-error.ts";
import { asStorageError, namesIn } from "./files.ts";
import { keepSegments } from "./kept-segments.ts";
import { stagingFolder } from "./layout.ts";
import type { StagedVersion } from "./model.ts";

/** Makes an empty folder for a version to be, in the file system of the data directory, so that a rename publishes it. */
export async function makeStagingFolder(dataDirectory: string, instance: Instance): Promise<string> {
  const folder = join(stagingFolder(dataDirectory), instance.id, randomUUID());
  await mkdir(folder, { recursive: true, mode: folderMode() });
  return folder;
}

/** Removes what driver processes that are dead have staged; answers their instance ids. */
export async function removeDeadStaging(dataDirectory: string, instance: Instance): Promise<readonly string[]> {
  const dead: string[] = [];
  for (const owner of await namesIn(stagingFolder(dataDirectory))) {
    if (await instance.isAlive(owner)) continue;
    await rm(join(stagingFolder(dataDirectory), owner), { recursive: true, force: true });
    dead.push(owner);
  }
  return dead;
}

/** What the store does with a staged folder. */
export interface StagingEnds {
  readonly publish: StagedVersion["publish"];
  readonly closed: () => void;
}

/** A staged folder that is published once or removed. */
export function stagedVersion(folder: string, { publish, closed }: StagingEnds): StagedVersion {
  let state: "open" | "publishing" | "published" | "closed" = "open";
  return {
    directory: folder,
    async keep(version, segments) {
      try {
        return await keepSegments(version, segments, folder);
      } catch (error) {
        throw asStorageError(error);
      }
    },
    async publish(content, labels, options = {}) {
      if (state !== "open") throw new DriverError("INTERNAL", `${folder} can't be published: it is ${state}`);
      state = "publishing";
      try {
        const info = await publish(content, labels, options);
        state = "published";
        return info;
      } catch (error) {
        if (error instanceof DriverError && error.reason === "VERSION_CONFLICT") state = "open";
        throw asStorageError(error);
      }
    },
    async [Symbol.asyncDispose]() {
      if (state === "closed") return;
      const left = state !== "published";
      state = "closed";
      try {
        if (left) await rm(folder, { recursive: true, force: true });
      } finally {
        closed();
      }
    },
  };
}
