import type { MessageInitShape } from "@bufbuild/protobuf";
import { required } from "../checks.ts";
import { clientError, statusError } from "../errors.ts";
import { sourceToWire } from "../from-wire.ts";
import { type ImportLibrarySetRequestSchema, LibraryService } from "../gen/drover/v1/library_service_pb.js";
import { paged } from "../pages.ts";
import type { CallOptions, Transport } from "../transport/transport.ts";
import { openContent, type UploadContent } from "../upload/content.ts";
import { installProgressFrom, librarySetFrom, setCheckFrom, summaryFrom } from "./from-wire.ts";
import type {
  CheckLibrarySetOptions,
  CreateLibrarySetOptions,
  LibrarySet,
  LibrarySetCheck,
  LibrarySetDraft,
  LibrarySetSummary,
  ReplaceOptions,
} from "./model.ts";

const { method } = LibraryService;
const maxPageSize = 1000;
const maxPieceBytes = 512 * 1024;

/** The library sets that all drivers of a data directory share. Only an administrator's token may ask for them. */
export class LibrarySets {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Installs packages into a new set; answers when all of it is there. Aborting the signal stops the install. */
  async create(draft: LibrarySetDraft, options: CreateLibrarySetOptions = {}): Promise<LibrarySet> {
    const { replace = false, onProgress } = options;
    for await (const { event } of this.#transport.stream(method.createLibrarySet, toWire(draft, replace), options)) {
      if (event.case === "progress") onProgress?.(installProgressFrom(event.value));
      if (event.case === "completed") return librarySetFrom(event.value);
    }
    throw clientError("STREAM_CUT", "the install ended before it was complete");
  }

  /** One that is damaged says so in its `problem`. */
  async get(name: string, options: CallOptions = {}): Promise<LibrarySet> {
    return librarySetFrom(required((await this.#transport.unary(method.getLibrarySet, { name }, options)).librarySet));
  }

  /** The text of a set's `package-lock.json`: with it the same packages are installed anywhere. Errors: LIBRARY_SET_DAMAGED. */
  async lockfile(name: string, options: CallOptions = {}): Promise<string> {
    const { librarySet, lockfile } = await this.#transport.unary(method.getLibrarySet, { name }, options);
    if (librarySet?.problem !== undefined) throw statusError(librarySet.problem);
    return lockfile;
  }

  /** By name. Those that are damaged say so in their `problem`. */
  list(options: CallOptions = {}): AsyncGenerator<LibrarySetSummary, void, undefined> {
    return paged(async (pageToken) => {
      const request = { pageSize: maxPageSize, pageToken };
      const { librarySets, nextPageToken } = await this.#transport.unary(method.listLibrarySets, request, options);
      return { items: librarySets.map(summaryFrom), nextPageToken };
    });
  }

  /**
   * Tries a set before a configuration names it: loads all of its connectors, and tests a source with it. What is wrong stands in the
   * answer.
   */
  async check(name: string, options: CheckLibrarySetOptions = {}): Promise<LibrarySetCheck> {
    const { source } = options;
    const request = { name, ...(source && { source: sourceToWire(source) }) };
    const answer = await this.#transport.unary(method.checkLibrarySet, request, options);
    return setCheckFrom(answer, required(answer.librarySet));
  }

  /** Errors: LIBRARY_SET_IN_USE, with who uses it. */
  async delete(name: string, options: CallOptions = {}): Promise<void> {
    await this.#transport.unary(method.deleteLibrarySet, { name }, options);
  }

  /** The bytes of a set's archive. One that ends without an error is whole. */
  async *export(name: string, options: CallOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
    let bytes = 0;
    for await (const { part } of this.#transport.stream(method.exportLibrarySet, { name }, options)) {
      if (part.case === "bytes") {
        bytes += part.value.length;
        yield part.value;
      }
      if (part.case === "end") {
        if (Number(part.value.bytes) === bytes) return;
        throw clientError("UNEXPECTED_MESSAGE", `the archive has ${part.value.bytes} bytes, and ${bytes} came`);
      }
    }
    throw clientError("STREAM_CUT", "the archive ended before it was complete");
  }

  /** Takes an archive: a file's path, bytes, a Blob, or a stream. */
  async import(name: string, archive: UploadContent, options: ReplaceOptions = {}): Promise<LibrarySet> {
    const { from } = await openContent(archive);
    const requests = importRequests(name, options.replace ?? false, from(0));
    const { librarySet } = await this.#transport.clientStream(method.importLibrarySet, requests, options);
    return librarySetFrom(required(librarySet));
  }
}

async function* importRequests(
  name: string,
  replace: boolean,
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<MessageInitShape<typeof ImportLibrarySetRequestSchema>, void, undefined> {
  yield { part: { case: "begin", value: { name, replace } } };
  let bytes = 0;
  for await (const chunk of content) {
    for (let at = 0; at < chunk.length; at += maxPieceBytes) {
      const piece = chunk.subarray(at, at + maxPieceBytes);
      bytes += piece.length;
      yield { part: { case: "bytes", value: piece } };
    }
  }
  yield { part: { case: "end", value: { bytes: BigInt(bytes) } } };
}

function toWire(draft: LibrarySetDraft, replace: boolean) {
  const { name, packages = [], settings = {}, registry, folder, lockfile = "", allowScripts = [] } = draft;
  if (registry !== undefined && folder !== undefined)
    throw clientError("INVALID_ARGUMENT", "packages come from a registry or a folder, not from both");
  return {
    ...{ name, lockfile, replace, packages: packages.map((each) => ({ ...each })), allowScripts: [...allowScripts] },
    settings: Object.entries(settings).map(([kind, options]) => ({ kind, options: { ...options } })),
    ...(registry !== undefined && { origin: { case: "registry" as const, value: registry } }),
    ...(folder !== undefined && { origin: { case: "folder" as const, value: folder } }),
  };
}
