import { DriverError } from "../errors/driver-error.ts";
import type { Owner, Whose } from "../operations/owner.ts";
import type { OwnUploads, UploadInfo, Uploads } from "./model.ts";

interface Parts {
  readonly uploads: Pick<Uploads, "receive" | "keepText" | "get" | "list" | "remove">;
  /** Whose an upload is; undefined where there is none. */
  readonly find: (id: string) => Promise<{ readonly owner: Owner | undefined } | undefined>;
}

/** What one asker may do with the files that are his. */
export function ownUploads({ uploads, find }: Parts, asker: Whose): OwnUploads {
  const get = async (id: string): Promise<UploadInfo> => {
    const info = await uploads.get(id);
    if (asker.owns(info.owner)) return info;
    throw uploadNotFound(id);
  };
  return {
    get,
    list: async () => (await uploads.list()).filter(({ owner }) => asker.owns(owner)),
    remove: async (id) => {
      await get(id);
      await uploads.remove(id);
    },
    // Before anything of the other one is stopped.
    receive: async (begin, parts) => {
      const present = await find(begin.id);
      if (present !== undefined && !asker.owns(present.owner)) throw anothers(begin.id);
      return uploads.receive({ ...begin, whose: asker }, parts);
    },
    keepText: (text, options) => uploads.keepText(text, { ...options, whose: asker }),
  };
}

export function uploadNotFound(id: string): DriverError {
  return new DriverError("UPLOAD_NOT_FOUND", `there is no upload "${id}"`, { metadata: { upload: id } });
}

/** Clients choose ids, so that this one is taken can't be hidden; whose and what it is can. */
export function anothers(id: string): DriverError {
  return new DriverError("UPLOAD_EXISTS", `another file has the id "${id}"`, { metadata: { upload: id } });
}
