import { create } from "@bufbuild/protobuf";
import {
  CheckLibrarySetResponseSchema,
  type CreateLibrarySetResponse,
  CreateLibrarySetResponseSchema,
  DeleteLibrarySetResponseSchema,
  type ExportLibrarySetResponse,
  ExportLibrarySetResponseSchema,
  GetLibrarySetResponseSchema,
  type ImportLibrarySetRequest,
  ImportLibrarySetResponseSchema,
  LibraryService,
  ListLibrarySetsResponseSchema,
} from "../../gen/drover/v1/library_service_pb.js";
import type { CheckSetOptions } from "../../library-sets/check/check-set.ts";
import type { SetCheck } from "../../library-sets/check/model.ts";
import type { InstallProgress, LibrarySet, LibrarySetDraft, LibrarySetStore } from "../../library-sets/model.ts";
import type { SourceSpec } from "../../sources/connector.ts";
import type { Uploads } from "../../uploads/model.ts";
import { invalidField } from "../mapping/invalid-field.ts";
import {
  fromInstallProgress,
  fromLibrarySet,
  fromListedSet,
  fromSetCheck,
  toLibrarySetDraft,
} from "../mapping/library-sets.ts";
import { pageOf, pageSize } from "../mapping/pages.ts";
import { toSourceSpec } from "../mapping/sources.ts";
import { type BoundMethod, bindService } from "../service.ts";
import { whileRead } from "../while-read.ts";
import { requireOwnUpload } from "./source-spec.ts";

export interface LibraryHandlerParts {
  readonly librarySets: LibrarySetStore;
  readonly uploads: Pick<Uploads, "of">;
  readonly check: (name: string, options: CheckOptions) => Promise<SetCheck>;
  /** The real path of a folder that a client names. Throws PATH_NOT_ALLOWED. */
  readonly allowedFolder: (path: string) => Promise<string>;
  /** The `limits.readerTimeout` setting; 0 for none. */
  readonly readerTimeoutMs: number;
}

export interface CheckOptions extends Pick<CheckSetOptions, "signal"> {
  /** A source to be tested with the set. */
  readonly source: SourceSpec | undefined;
  /** Whose turn it is where statements wait. */
  readonly caller: string;
}

const PAGE = { fallback: 100, max: 1_000 };

export function libraryService({
  librarySets,
  check,
  uploads,
  allowedFolder,
  readerTimeoutMs,
}: LibraryHandlerParts): readonly BoundMethod[] {
  return bindService(
    LibraryService,
    {
      roles: {
        createLibrarySet: "admin",
        getLibrarySet: "admin",
        listLibrarySets: "admin",
        checkLibrarySet: "admin",
        deleteLibrarySet: "admin",
        exportLibrarySet: "admin",
        importLibrarySet: "admin",
      },
      work: ["createLibrarySet", "checkLibrarySet", "deleteLibrarySet", "exportLibrarySet", "importLibrarySet"],
    },
    {
      async *createLibrarySet(request, call): AsyncGenerator<CreateLibrarySetResponse> {
        const draft = toLibrarySetDraft(request, call.requestedBy);
        yield* created(librarySets, await withRealFolder(draft, allowedFolder), call.signal);
      },
      getLibrarySet: async ({ name }) => {
        const set = await librarySets.look(name);
        const librarySet = fromListedSet(set, { packages: true });
        return create(GetLibrarySetResponseSchema, { librarySet, lockfile: "problem" in set ? "" : set.lockfile });
      },
      listLibrarySets: async ({ pageSize: asked, pageToken }) => {
        const { items, nextPageToken } = pageOf(await librarySets.list(), ({ name }) => name, {
          size: pageSize(asked, PAGE),
          token: pageToken,
          request: ["librarySets"],
        });
        const found = items.map((set) => fromListedSet(set, { packages: false }));
        return create(ListLibrarySetsResponseSchema, { librarySets: found, nextPageToken });
      },
      checkLibrarySet: async ({ name, source: given }, call) => {
        const source = given && toSourceSpec(given);
        if (source !== undefined) await requireOwnUpload(source.uri, uploads, call);
        const checked = await check(name, { signal: call.signal, caller: call.turn, source });
        return create(CheckLibrarySetResponseSchema, fromSetCheck(checked));
      },
      deleteLibrarySet: async ({ name }, { signal }) => {
        await librarySets.remove(name, { signal });
        return create(DeleteLibrarySetResponseSchema, {});
      },
      async *exportLibrarySet({ name }, call): AsyncGenerator<ExportLibrarySetResponse> {
        const set = await librarySets.byName(name);
        const begin = fromLibrarySet(set, { packages: false });
        yield create(ExportLibrarySetResponseSchema, { part: { case: "begin", value: begin } });
        const start = (signal: AbortSignal) => librarySets.export(name, { signal });
        let bytes = 0;
        for await (const piece of whileRead(start, { signal: call.signal, timeoutMs: readerTimeoutMs })) {
          bytes += piece.length;
          yield create(ExportLibrarySetResponseSchema, { part: { case: "bytes", value: piece } });
        }
        const end = { bytes: BigInt(bytes) };
        yield create(ExportLibrarySetResponseSchema, { part: { case: "end", value: end } });
      },
      importLibrarySet: async (requests, call) => {
        const messages = requests[Symbol.asyncIterator]();
        const { value: first, done } = await messages.next();
        if (done || first.part.case !== "begin") throw invalidField("begin", "must come first");
        const { name, replace } = first.part.value;
        const archive = archiveOf({ [Symbol.asyncIterator]: () => messages });
        const { requestedBy: createdBy, signal } = call;
        const set = await librarySets.import(archive, { name, replace, createdBy, signal });
        const librarySet = fromLibrarySet(set, { packages: true });
        return create(ImportLibrarySetResponseSchema, { librarySet });
      },
    },
  );
}

/** The install's life: the latest progress while its reader has not taken the one before, then the set. Leaving stops the work. */
async function* created(
  librarySets: LibrarySetStore,
  draft: LibrarySetDraft,
  callSignal: AbortSignal,
): AsyncGenerator<CreateLibrarySetResponse> {
  const left = new AbortController();
  const signal = AbortSignal.any([callSignal, left.signal]);
  let latest: InstallProgress | undefined;
  let news = Promise.withResolvers<void>();
  const onProgress = (progress: InstallProgress) => {
    latest = progress;
    news.resolve();
  };
  let set: LibrarySet | undefined;
  const work = librarySets.create(draft, { signal, onProgress }).then((made) => {
    set = made;
  });
  // It is thrown where the loop meets it.
  work.catch(() => undefined);
  try {
    while (set === undefined) {
      await Promise.race([work, news.promise]);
      news = Promise.withResolvers();
      const progress = latest;
      latest = undefined;
      if (progress !== undefined && set === undefined) {
        const value = fromInstallProgress(progress);
        yield create(CreateLibrarySetResponseSchema, { event: { case: "progress", value } });
      }
    }
    const value = fromLibrarySet(set, { packages: true });
    yield create(CreateLibrarySetResponseSchema, { event: { case: "completed", value } });
  } finally {
    left.abort(new Error("nobody waits for the set any more"));
    await work.catch(() => undefined);
  }
}

async function withRealFolder(
  draft: LibrarySetDraft,
  allowedFolder: LibraryHandlerParts["allowedFolder"],
): Promise<LibrarySetDraft> {
  const { origin } = draft;
  return origin.type === "folder" ? { ...draft, origin: { ...origin, path: await allowedFolder(origin.path) } } : draft;
}

/** The bytes until the message that says that these were all. */
async function* archiveOf(requests: AsyncIterable<ImportLibrarySetRequest>): AsyncGenerator<Uint8Array> {
  let bytes = 0n;
  for await (const { part } of requests) {
    switch (part.case) {
      case "bytes":
        bytes += BigInt(part.value.length);
        yield part.value;
        break;
      case "end":
        if (part.value.bytes !== 0n && part.value.bytes !== bytes)
          throw invalidField("end.bytes", `${bytes} bytes have come, not ${part.value.bytes}`);
        return;
      default:
        throw invalidField("begin", "may come only once");
    }
  }
  throw invalidField("end", "must come last: the stream was broken off");
}
