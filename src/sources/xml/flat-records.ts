import { isDeclaration, NameGiver, type Naming, requireColumn, shownName, ValueFacts } from "./fields.ts";
import { MAX_COLUMNS, MAX_RECORD_BYTES } from "./limits.ts";
import type { Attributes } from "./parse-xml.ts";
import type { RecordHandler } from "./record-path.ts";
import { OpenTexts } from "./record-text.ts";
import { Refusal } from "./refusal.ts";
import type { RecordSpool } from "./spool.ts";

export interface FlatOptions extends Naming {
  /** Between the names of an element and of those in it. */
  readonly separator: string;
  /** What becomes of a value that comes several times in a record. */
  readonly repeated: "list" | "first" | "join";
  readonly joiner: string;
  readonly trim: boolean;
  readonly nulls: ReadonlySet<string>;
}

/** A column: the place of its values in every record. */
export interface FlatColumn {
  readonly name: string;
  readonly facts: ValueFacts;
  /** Whether a record had several values. */
  isList: boolean;
}

/** The name of the column for text that stands in the record's own element. */
export const OWN_TEXT = "text";

/** An element or attribute, wherever it is in records of this kind. */
class Place {
  readonly name: string;
  readonly path: string;
  readonly parent: Place | undefined;
  readonly children = new Map<string, Place>();
  readonly attributes = new Map<string, Place>();
  /** The index of its column; -1 while it has no value. */
  column = -1;
  /** Whether it was there without content: a column that is always NULL, unless it turns out to hold elements. */
  wasEmpty = false;
  /** The record that the following three are about. */
  record = 0;
  /** How many of it the record has so far. */
  count = 0;
  /** The number of the element in which it was last. */
  within = 0;
  /** Whether an element had several of it. */
  repeats = false;

  /** The element that came first in it, the one that came last, and the one that followed on this, when last seen. */
  first: Place | undefined;
  last: Place | undefined;
  next: Place | undefined;

  constructor(name: string, path: string, parent?: Place) {
    this.name = name;
    this.path = path;
    this.parent = parent;
  }
}

type Values = string | (string | null)[] | undefined;

/** Those without values of their own have no columns, which have a limit, but take memory. */
const MAX_PLACES = 5 * MAX_COLUMNS;

/** What an entry of a list takes beside its text, in characters. */
const ENTRY_LENGTH = 4;

/**
 * Makes a row of every record: each element and attribute that holds text is a column, named by its path within the record.
 * Lists below an element that repeats have an entry for each of it, NULL where it has no such value, so that they belong together.
 */
export class FlatRecords implements RecordHandler {
  readonly columns: FlatColumn[] = [];
  readonly #options: FlatOptions;
  readonly #spool: RecordSpool;
  readonly #names = new NameGiver();
  readonly #root = new Place("", "");
  readonly #open: Place[] = [];
  /** The numbers of the elements that are open. */
  readonly #numbers: number[] = [];
  readonly #texts: OpenTexts;
  readonly #values: Values[] = [];
  readonly #lists: boolean;
  #current = this.#root;
  #length = 0;
  #record = 1;
  #number = 0;
  #places = 0;
  /** Whether the innermost element has attributes with values. */
  #hasAttributes = false;

  constructor(options: FlatOptions, spool: RecordSpool) {
    this.#options = options;
    this.#spool = spool;
    this.#texts = new OpenTexts(options.trim);
    this.#lists = options.repeated === "list";
  }

  open(name: string, attributes: Attributes): void {
    this.#texts.open();
    const parent = this.#current;
    const depth = this.#open.push(parent);
    const place = depth === 1 ? this.#root : this.#child(parent, name);
    this.#current = place;
    place.last = undefined;
    if (this.#lists && depth > 1) this.#counted(place, this.#numbers[depth - 2] ?? 0);
    this.#numbers[depth - 1] = ++this.#number;
    this.#hasAttributes = false;
    for (let at = 0; at < attributes.count; at++) {
      const attribute = attributes.names[at] ?? "";
      const value = attributes.values[at] ?? "";
      if (isDeclaration(attribute)) continue;
      this.#hasAttributes = true;
      this.#put(this.#attribute(place, attribute), value);
    }
  }

  text(text: string): void {
    this.#texts.add(text);
  }

  close(): void {
    const { isParent } = this.#texts;
    const text = this.#texts.close();
    const place = this.#current;
    if (text !== "") this.#put(place, text);
    else if (!isParent && !this.#hasAttributes) place.wasEmpty = true;
    if (place.repeats && place.record === this.#record) this.#fill(place, place.count);
    this.#hasAttributes = false;
    this.#current = this.#open.pop() ?? this.#root;
  }

  end(): void {
    const values = this.#values;
    const { length } = this.columns;
    for (let at = 0; at < length; at++) if (typeof values[at] === "object") this.#endList(at);
    this.#spool.row(values, length, this.#length);
    for (let at = 0; at < length; at++) values[at] = undefined;
    this.#length = 0;
    this.#record++;
  }

  /** Adds the columns that were never more than empty. No more records follow. */
  finish(): void {
    this.#finish(this.#root);
  }

  #finish(place: Place): void {
    if (place.wasEmpty && place.column < 0 && place.children.size === 0) this.#column(place);
    for (const attribute of place.attributes.values()) if (attribute.column < 0) this.#column(attribute);
    for (const child of place.children.values()) this.#finish(child);
  }

  #endList(at: number): void {
    const column = this.columns[at];
    const values = this.#values[at] as readonly (string | null)[];
    if (values.every((value) => value === null)) this.#values[at] = undefined;
    else if (column) column.isList = true;
  }

  #child(parent: Place, name: string): Place {
    const { last } = parent;
    // Records are alike: what followed once mostly follows again, and comparing names is faster than looking them up.
    const expected = last === undefined ? parent.first : last.next;
    if (expected !== undefined && expected.name === name) {
      parent.last = expected;
      return expected;
    }
    const place = parent.children.get(name) ?? this.#newChild(parent, name);
    if (last === undefined) parent.first = place;
    else last.next = place;
    parent.last = place;
    return place;
  }

  #newChild(parent: Place, name: string): Place {
    const place = this.#below(parent, name, shownName(name, this.#options));
    parent.children.set(name, place);
    return place;
  }

  #attribute(parent: Place, name: string): Place {
    const known = parent.attributes.get(name);
    if (known) return known;
    const place = this.#below(parent, name, `${this.#options.attributePrefix}${shownName(name, this.#options)}`);
    parent.attributes.set(name, place);
    return place;
  }

  #below(parent: Place, name: string, shown: string): Place {
    if (++this.#places > MAX_PLACES)
      throw new Refusal("XML_LIMIT", `the records have more than ${MAX_PLACES} different elements and attributes`, {
        limit: String(MAX_PLACES),
      });
    return new Place(name, parent.path === "" ? shown : `${parent.path}${this.#options.separator}${shown}`, parent);
  }

  #column(place: Place): number {
    requireColumn(this.columns.length + 1);
    place.column = this.columns.length;
    this.columns.push({
      name: this.#names.give(place.path === "" ? OWN_TEXT : place.path),
      facts: new ValueFacts(),
      isList: false,
    });
    // The elements before this one did not have it.
    for (let above: Place | undefined = place; above; above = above.parent)
      if (above.repeats && above.record === this.#record) {
        this.#fillColumn(place.column, above.count - 1);
        break;
      }
    return place.column;
  }

  /** Notes that the record has one more of an element; `within` is the number of the one that it is in. */
  #counted(place: Place, within: number): void {
    if (place.record !== this.#record) {
      place.record = this.#record;
      place.count = 1;
      place.repeats = false;
    } else {
      place.count++;
      if (place.within === within && !place.repeats) {
        place.repeats = true;
        this.#fill(place, place.count - 1);
      }
    }
    place.within = within;
  }

  /** Makes lists of everything below an element that repeats, with so many entries at least. */
  #fill(place: Place, count: number): void {
    if (place.column >= 0) this.#fillColumn(place.column, count);
    for (const { column } of place.attributes.values()) if (column >= 0) this.#fillColumn(column, count);
    for (const child of place.children.values())
      if (!child.repeats || child.record !== this.#record) this.#fill(child, count);
  }

  #fillColumn(column: number, count: number): void {
    if (count === 0) return;
    const value = this.#values[column];
    const list = typeof value === "object" ? value : value === undefined ? [] : [value];
    if (list.length < count) this.#grow((count - list.length) * ENTRY_LENGTH);
    while (list.length < count) list.push(null);
    this.#values[column] = list;
  }

  #put(place: Place, value: string): void {
    if (value === "" || this.#options.nulls.has(value)) {
      place.wasEmpty = true;
      return;
    }
    const at = place.column < 0 ? this.#column(place) : place.column;
    const facts = this.columns[at]?.facts;
    const earlier = this.#values[at];
    this.#grow(value.length + ENTRY_LENGTH);
    if (earlier === undefined) {
      facts?.add(value);
      this.#values[at] = value;
    } else if (this.#lists) {
      facts?.add(value);
      if (typeof earlier === "string") this.#values[at] = [earlier, value];
      else earlier.push(value);
    } else if (this.#options.repeated === "join") {
      facts?.giveUp();
      this.#values[at] = `${earlier}${this.#options.joiner}${value}`;
    }
  }

  #grow(length: number): void {
    this.#length += length;
    if (this.#length > MAX_RECORD_BYTES)
      throw new Refusal("XML_LIMIT", `a record has more than ${MAX_RECORD_BYTES} characters`, {
        limit: String(MAX_RECORD_BYTES),
      });
  }
}
