import { SaxesParser } from "saxes";
import { DriverError } from "../../errors/driver-error.ts";
import type { Reason } from "../../errors/reasons.ts";
import { decodedXml, encodingOfXml, type TextChunk } from "./decode-xml.ts";
import { MAX_DEPTH, MAX_VALUE_LENGTH } from "./limits.ts";
import { Refusal } from "./refusal.ts";

/** The attributes of an element, valid during the call: the lists may be longer than `count`. */
export interface Attributes {
  readonly names: readonly string[];
  readonly values: readonly string[];
  readonly count: number;
}

/** What happens in a document, in its order. Throwing a Refusal ends the reading, with the place. */
export interface XmlHandler {
  /** Told before all else who calls. */
  begin?(document: XmlDocument): void;
  open(name: string, attributes: Attributes): void;
  /** A piece of text; entities are resolved, CDATA is text like any other. */
  text(text: string): void;
  close(): void;
  /** Whether nothing more of the document is wanted; asked after every chunk. */
  readonly done?: boolean;
}

export interface XmlFile {
  readonly path: string;
  /** Undefined: found by its byte order mark or declaration. */
  readonly encoding: string | undefined;
}

/** Where a parser stands. */
export interface XmlPlace {
  /** From 1. */
  readonly line: number;
  readonly column: number;
  /** From 0, in the decompressed file. Exact for UTF-8, for other encodings where the chunk begins. */
  readonly byte: number;
}

/** What happened to a document beside its elements. */
export interface XmlOptions {
  readonly signal: AbortSignal;
  /** No more than this is wanted of it. */
  readonly beginningBytes?: number | undefined;
  /** There is more of the document than the file has: it may end anywhere. */
  readonly isCut?: boolean | undefined;
  /** Told after every chunk how much of the decompressed file was read. */
  readonly onProgress?: (bytes: number) => void;
}

/**
 * Reads a document from its beginning to its end, or until the handler is done. Memory is bounded by limits of values and depth.
 * Answers whether all of it was read.
 */
export async function parseXml(
  file: XmlFile,
  handler: XmlHandler,
  { signal, beginningBytes = Number.POSITIVE_INFINITY, isCut = false, onProgress }: XmlOptions,
): Promise<boolean> {
  const encoding = await encodingOfXml(file.path, file.encoding, { signal });
  const document = new XmlDocument(file.path, encoding, handler);
  for await (const chunk of decodedXml(file.path, encoding, { signal, isCut })) {
    document.write(chunk);
    onProgress?.(chunk.startByte);
    if (handler.done || chunk.startByte + chunk.text.length >= beginningBytes) return false;
  }
  if (isCut && !document.isWhole) return false;
  document.end();
  return true;
}

/** One document that arrives in pieces. */
export class XmlDocument {
  readonly #parser: SaxesParser;
  readonly #name: string;
  readonly #encoding: string;
  readonly #handler: XmlHandler;
  /** The lines on which the open elements began, and their names; longer than `#depth` once there were more. */
  readonly #lines: number[] = [];
  readonly #names: string[] = [];
  #depth = 0;
  #chunk: TextChunk = { text: "", startByte: 0 };
  /** Characters before the chunk. */
  #before = 0;
  /** Whether the chunk brought anything whole. */
  #heard = false;
  /** Characters since something did. */
  #silence = 0;

  /** `name` is what errors call the document. */
  constructor(name: string, encoding: string, handler: XmlHandler) {
    this.#name = name;
    this.#encoding = encoding;
    this.#handler = handler;
    this.#parser = new SaxesParser({ xmlns: false, defaultXMLVersion: "1.0", forceXMLVersion: true });
    this.#listen();
    handler.begin?.(this);
  }

  write(chunk: TextChunk): void {
    this.#before += this.#chunk.text.length;
    this.#chunk = chunk;
    this.#heard = false;
    this.#parse(() => this.#parser.write(chunk.text));
    this.#silence = this.#heard ? 0 : this.#silence + chunk.text.length;
    if (this.#silence > MAX_VALUE_LENGTH) throw this.#tooLarge("a value, a tag, a comment or a declaration");
  }

  end(): void {
    if (this.#depth > 0) {
      const name = this.#names[this.#depth - 1] ?? "";
      const began = this.#lines[this.#depth - 1];
      throw this.fault("MALFORMED_XML", `the document ends within <${name}>, which begins on line ${began}`, {
        element: name,
      });
    }
    this.#parse(() => this.#parser.close());
  }

  /** An error at the place where the parser stands. */
  fault(reason: Reason, message: string, metadata: Readonly<Record<string, string>> = {}): DriverError {
    const { line, column, byte } = this.place;
    return new DriverError(reason, `${this.#name}, line ${line}, column ${column}, byte ${byte}: ${message}`, {
      metadata: { file: this.#name, line: String(line), column: String(column), byte: String(byte), ...metadata },
    });
  }

  /** Whether every element is closed. */
  get isWhole(): boolean {
    return this.#depth === 0;
  }

  /** The line on which the last event ended. */
  get line(): number {
    return this.#parser.line;
  }

  /** Characters up to here. */
  get position(): number {
    return this.#parser.position;
  }

  get place(): XmlPlace {
    const { line, columnIndex, position } = this.#parser;
    const { text, startByte } = this.#chunk;
    const within =
      this.#encoding === "utf-8" ? Buffer.byteLength(text.slice(0, Math.max(0, position - this.#before))) : 0;
    return { line, column: columnIndex + 1, byte: startByte + within };
  }

  #parse(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (error instanceof DriverError) throw error;
      if (error instanceof Refusal) throw this.fault(error.reason, error.message, error.metadata);
      const message = error instanceof Error ? error.message.replace(/^\d+:\d+: /, "").replace(/\.$/, "") : "";
      if (!message) throw error;
      throw this.fault("MALFORMED_XML", message);
    }
  }

  #listen(): void {
    const parser = this.#parser;
    const handler = this.#handler;
    const attributes = { names: [] as string[], values: [] as string[], count: 0 };
    // The parser's own object of them is slow to walk.
    parser.on("attribute", ({ name, value }) => {
      if (value.length > MAX_VALUE_LENGTH) throw this.#tooLarge(`the attribute ${name}`);
      attributes.names[attributes.count] = name;
      attributes.values[attributes.count] = value;
      attributes.count++;
    });
    // Errors are thrown by the parser itself, as it has no handler for them.
    parser.on("opentag", ({ name }) => {
      this.#heard = true;
      const depth = this.#depth++;
      if (depth === MAX_DEPTH) throw this.#tooDeep();
      this.#lines[depth] = parser.line;
      this.#names[depth] = name;
      handler.open(name, attributes);
      attributes.count = 0;
    });
    const text = (part: string) => {
      this.#heard = true;
      if (part.length > MAX_VALUE_LENGTH) throw this.#tooLarge("a text");
      handler.text(part);
    };
    parser.on("text", text);
    parser.on("cdata", text);
    parser.on("closetag", () => {
      this.#heard = true;
      this.#depth--;
      handler.close();
    });
    parser.on("comment", () => {
      this.#heard = true;
    });
    parser.on("doctype", (declaration) => {
      this.#heard = true;
      if (/<!ENTITY[\s%]/.test(declaration.replaceAll(/<!--.*?-->/gs, "")))
        throw this.fault(
          "XML_ENTITIES",
          "the document type declares entities, which are refused: they can grow without bound or name files and addresses",
        );
    });
  }

  #tooDeep(): DriverError {
    return this.fault("XML_LIMIT", `elements are nested more than ${MAX_DEPTH} deep`, { limit: String(MAX_DEPTH) });
  }

  #tooLarge(what: string): DriverError {
    return this.fault("XML_LIMIT", `${what} has more than ${MAX_VALUE_LENGTH} characters`, {
      limit: String(MAX_VALUE_LENGTH),
    });
  }
}
