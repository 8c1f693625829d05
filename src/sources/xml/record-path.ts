import type { Attributes, XmlHandler } from "./parse-xml.ts";

/** Which elements of a document are its records. */
export interface RecordPath {
  /** As people write it: `/catalog/book`, `//book`. */
  readonly text: string;
  /** Names from the root; the last one is the record's. `*` is any name. */
  readonly steps: readonly string[];
  /** Whether the path begins anywhere (`//`). */
  readonly anywhere: boolean;
}

const STEP = /^(?:\*|[^\s/*@[\]'"=<>&]+)$/;

/** Reads a path: `/root/item` (also without the first slash), `//item` for elements at any depth. Undefined if it is none. */
export function parseRecordPath(text: string): RecordPath | undefined {
  const trimmed = text.trim();
  const anywhere = trimmed.startsWith("//");
  const steps = trimmed.replace(/^\/{1,2}/, "").split("/");
  if (!steps.every((step) => STEP.test(step)) || (anywhere && steps.length > 1)) return undefined;
  return { text: anywhere ? `//${steps.join("/")}` : `/${steps.join("/")}`, steps, anywhere };
}

/** Whether a step means an element: a step without a prefix means its name in any namespace. */
export function matchesStep(step: string, name: string): boolean {
  if (step === "*" || step === name) return true;
  return !step.includes(":") && localName(name) === step;
}

/** A name without its prefix. */
export function localName(name: string): string {
  return name.slice(name.indexOf(":") + 1);
}

/** What is done with the elements of a record. The record's own element is opened and closed as well. */
export interface RecordHandler {
  open(name: string, attributes: Attributes): void;
  text(text: string): void;
  close(): void;
  /** The record is whole. */
  end(): void;
}

/** Finds the records of a document and hands over what is in them. A record within a record belongs to the outer one. */
export class RecordFinder implements XmlHandler {
  readonly #path: RecordPath;
  readonly #records: RecordHandler;
  #depth = 0;
  /** How many of the open elements, from the root, are as the path says. */
  #matched = 0;
  /** Elements that are open within the record, itself included. */
  #inside = 0;
  readonly #max: number;
  /** Records that have begun. */
  count = 0;

  /** No more than `max` records are handed over. */
  constructor(path: RecordPath, records: RecordHandler, max = Number.POSITIVE_INFINITY) {
    this.#path = path;
    this.#records = records;
    this.#max = max;
  }

  get done(): boolean {
    return this.count >= this.#max && this.#inside === 0;
  }

  open(name: string, attributes: Attributes): void {
    if (this.#inside > 0) {
      this.#inside++;
      this.#records.open(name, attributes);
      return;
    }
    const { steps, anywhere } = this.#path;
    if (this.count === this.#max) this.#depth++;
    else if (anywhere ? matchesStep(steps[0] ?? "", name) : this.#follows(name)) {
      this.#inside = 1;
      this.count++;
      this.#records.open(name, attributes);
    } else this.#depth++;
  }

  text(text: string): void {
    if (this.#inside > 0) this.#records.text(text);
  }

  close(): void {
    if (this.#inside === 0) {
      this.#depth--;
      this.#matched = Math.min(this.#matched, this.#depth);
      return;
    }
    this.#records.close();
    this.#inside--;
    if (this.#inside === 0) this.#records.end();
  }

  /** Takes the next step; true if it was the last one. */
  #follows(name: string): boolean {
    const { steps } = this.#path;
    if (this.#matched !== this.#depth || !matchesStep(steps[this.#depth] ?? "", name)) return false;
    if (this.#depth === steps.length - 1) return true;
    this.#matched = this.#depth + 1;
    return false;
  }
}
