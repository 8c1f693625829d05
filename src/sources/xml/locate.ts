import type { FileOrigin, LocatedRecord, LocateRecords } from "../../engine/file-scan.ts";
import { type Attributes, parseXml, type XmlDocument, type XmlHandler } from "./parse-xml.ts";
import { RecordFinder, type RecordPath } from "./record-path.ts";
import type { SpooledFile } from "./spool.ts";

const MAX_TEXT = 1_000;

/** Finds records of spooled files again in the documents, for errors: nothing was written down about them. */
export function locateRecords(
  origins: readonly FileOrigin[],
  path: RecordPath,
  spooled: readonly SpooledFile[],
  encoding: string | undefined,
): LocateRecords {
  return async (file, ordinals, options) => {
    const first = spooled.find((candidate) => candidate.path === file)?.first ?? 1;
    const found = new Map<number, LocatedRecord>();
    let before = first - 1;
    for (const origin of origins) {
      if (origin.bytes === 0) continue;
      const wanted = new Map(ordinals.map((ordinal) => [ordinal + before, ordinal]));
      const locator = new Locator(path, wanted, (ordinal, line, text) =>
        found.set(ordinal, { file: origin.path, line, text }),
      );
      await parseXml({ path: origin.path, encoding }, locator, options);
      if (found.size === ordinals.length) break;
      before -= locator.count;
    }
    return found;
  };
}

/** Keeps the beginnings of some records, by their numbers in a document. */
class Locator implements XmlHandler {
  readonly #wanted: ReadonlyMap<number, number>;
  readonly #last: number;
  readonly #onFound: (ordinal: number, line: number, text: string) => void;
  readonly #finder: RecordFinder;
  readonly #names: string[] = [];
  #document: Pick<XmlDocument, "line"> | undefined;
  #line = 0;
  #text: string | undefined;

  constructor(
    path: RecordPath,
    wanted: ReadonlyMap<number, number>,
    onFound: (ordinal: number, line: number, text: string) => void,
  ) {
    this.#wanted = wanted;
    this.#last = Math.max(...wanted.keys());
    this.#onFound = onFound;
    this.#finder = new RecordFinder(path, {
      open: (name, attributes) => this.#open(name, attributes),
      text: (text) => this.#add(text),
      close: () => this.#add(`</${this.#names.pop()}>`),
      end: () => this.#end(),
    });
  }

  get count(): number {
    return this.#finder.count;
  }

  get done(): boolean {
    return this.count >= this.#last && this.#text === undefined;
  }

  begin(document: Pick<XmlDocument, "line">): void {
    this.#document = document;
  }

  open(name: string, attributes: Attributes): void {
    this.#finder.open(name, attributes);
  }

  text(text: string): void {
    this.#finder.text(text);
  }

  close(): void {
    this.#finder.close();
  }

  #open(name: string, attributes: Attributes): void {
    if (this.#names.length === 0 && this.#wanted.has(this.count)) {
      this.#line = this.#document?.line ?? 0;
      this.#text = "";
    }
    this.#names.push(name);
    const names = attributes.names.slice(0, attributes.count);
    const shown = names.map((attribute, at) => ` ${attribute}=${JSON.stringify(attributes.values[at])}`);
    this.#add(`<${name}${shown.join("")}>`);
  }

  #add(text: string): void {
    if (this.#text !== undefined && this.#text.length < MAX_TEXT)
      this.#text = (this.#text + text.replaceAll(/\s+/g, " ")).slice(0, MAX_TEXT);
  }

  #end(): void {
    const ordinal = this.#wanted.get(this.count);
    if (this.#text === undefined || ordinal === undefined) return;
    this.#onFound(ordinal, this.#line, this.#text);
    this.#text = undefined;
  }
}
