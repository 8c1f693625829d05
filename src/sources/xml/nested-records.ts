import { chooseType } from "../../engine/text/infer-type.ts";
import { isDeclaration, isNil, NameGiver, type Naming, requireColumn, shownName, ValueFacts } from "./fields.ts";
import { OWN_TEXT } from "./flat-records.ts";
import { MAX_RECORD_BYTES } from "./limits.ts";
import type { Attributes } from "./parse-xml.ts";
import type { RecordHandler } from "./record-path.ts";
import { OpenTexts } from "./record-text.ts";
import { Refusal } from "./refusal.ts";
import type { RecordSpool } from "./spool.ts";

export interface NestedOptions extends Naming {
  readonly trim: boolean;
  readonly nulls: ReadonlySet<string>;
}

/** What is at one place of all records: a text, or members. */
export class Shape {
  readonly name: string;
  readonly names = new NameGiver();
  readonly children = new Map<string, Shape>();
  readonly attributes = new Map<string, Shape>();
  /** Attributes, elements, its own text: what a struct has, in the order in which they came first. */
  readonly members: Shape[] = [];
  /** Its own text beside members, once there is any. */
  own: Shape | undefined;
  /** What is known of its text. */
  readonly facts: ValueFacts;
  repeats = false;
  /** How many of them the parent that is open has. */
  inParent = 0;
  /** Whether its texts are no texts for the engine, once all are known. */
  isTyped = false;
  /** What an element of it takes as JSON without its values, in characters. */
  frameLength = 0;
  /** Its place among the members of its parent. */
  readonly index: number;

  constructor(name: string, index: number, facts = new ValueFacts()) {
    this.name = name;
    this.index = index;
    this.facts = facts;
  }

  get isText(): boolean {
    return this.members.length === 0;
  }
}

/** The shape of a record, of which nothing is known yet. */
export function shapeRoot(): Shape {
  return new Shape("", 0);
}

abstract class ShapeWalk implements RecordHandler {
  protected readonly options: NestedOptions;
  protected readonly root: Shape;
  protected readonly texts: OpenTexts;
  protected readonly path: Shape[] = [];

  constructor(options: NestedOptions, root: Shape) {
    this.options = options;
    this.root = root;
    this.texts = new OpenTexts(options.trim);
  }

  abstract open(name: string, attributes: Attributes): void;
  abstract close(): void;
  abstract end(): void;

  text(text: string): void {
    this.texts.add(text);
  }

  protected get current(): Shape {
    return this.path.at(-1) ?? this.root;
  }

  protected isNull(value: string): boolean {
    return value === "" || this.options.nulls.has(value);
  }
}

/** Finds out what records are made of, and of which types. */
export class ShapeFinder extends ShapeWalk {
  #count = 0;

  open(name: string, attributes: Attributes): void {
    this.texts.open();
    const shape = this.path.length === 0 ? this.root : this.#member(this.current, this.current.children, name, "");
    for (const member of shape.members) member.inParent = 0;
    shape.inParent++;
    if (shape.inParent > 1 && shape !== this.root) shape.repeats = true;
    this.path.push(shape);
    for (let at = 0; at < attributes.count; at++) {
      const attribute = attributes.names[at] ?? "";
      if (isDeclaration(attribute)) continue;
      const member = this.#member(shape, shape.attributes, attribute, this.options.attributePrefix);
      const value = attributes.values[at] ?? "";
      if (!this.isNull(value)) member.facts.add(value);
    }
  }

  close(): void {
    const text = this.texts.close();
    const shape = this.current;
    if (!this.isNull(text)) shape.facts.add(text);
    this.path.pop();
  }

  end(): void {}

  /** Gives the texts beside members their own places. No more records follow. */
  finish(shape: Shape = this.root): void {
    for (const member of shape.members) this.finish(member);
    if (shape.facts.stats().values > 0 && (!shape.isText || shape === this.root)) {
      shape.own = new Shape(shape.names.give(OWN_TEXT), shape.members.length, shape.facts);
      shape.own.isTyped = isTyped(shape.own);
      shape.members.push(shape.own);
    }
    shape.isTyped = isTyped(shape);
    shape.frameLength = shape.members.reduce((total, { name }) => total + name.length + MEMBER_LENGTH, 0);
  }

  #member(shape: Shape, known: Map<string, Shape>, name: string, prefix: string): Shape {
    const found = known.get(name);
    if (found) return found;
    this.#count++;
    requireColumn(this.#count);
    const given = shape.names.give(`${prefix}${shownName(name, this.options)}` || OWN_TEXT);
    const member = new Shape(given, shape.members.length);
    known.set(name, member);
    shape.members.push(member);
    return member;
  }
}

/** What a value takes as JSON beside its text and its name: `"":null,`. */
const MEMBER_LENGTH = 8;

/** A text, an element with members, or several of them; NULL only within a list. */
type Value = string | Frame | (string | Frame | null)[];

/** An element with members. */
interface Frame {
  readonly shape: Shape;
  readonly values: (Value | undefined)[];
  isNil: boolean;
}

/** Writes records whose shape is known: texts as they are, structs and lists as JSON. */
export class NestedRecords extends ShapeWalk {
  readonly #spool: RecordSpool;
  readonly #frames: Frame[] = [];
  #length = 0;

  constructor(options: NestedOptions, root: Shape, spool: RecordSpool) {
    super(options, root);
    this.#spool = spool;
  }

  open(name: string, attributes: Attributes): void {
    this.texts.open();
    const shape = this.path.length === 0 ? this.root : this.current.children.get(name);
    if (!shape) throw changed(name);
    this.path.push(shape);
    const frame: Frame = { shape, values: [], isNil: false };
    this.#frames.push(frame);
    for (let at = 0; at < attributes.count; at++) {
      const attribute = attributes.names[at] ?? "";
      const value = attributes.values[at] ?? "";
      if (isNil(attribute, value)) frame.isNil = true;
      const member = shape.attributes.get(attribute);
      if (member && !this.isNull(value)) this.#put(frame, member, value);
    }
  }

  close(): void {
    const text = this.texts.close();
    const shape = this.current;
    const frame = this.#frames.pop();
    this.path.pop();
    const parent = this.#frames.at(-1);
    if (!frame) return;
    if (shape.own && !this.isNull(text)) this.#put(frame, shape.own, text);
    if (!parent) this.#row(frame);
    else if (frame.isNil && frame.values.length === 0) this.#put(parent, shape, null);
    else if (shape.isText) this.#put(parent, shape, this.isNull(text) ? null : text);
    else this.#put(parent, shape, frame);
  }

  end(): void {
    this.#length = 0;
  }

  #put({ values }: Frame, shape: Shape, value: string | Frame | null): void {
    this.#length += MEMBER_LENGTH + (typeof value === "string" ? value.length : value === null ? 0 : shape.frameLength);
    if (this.#length > MAX_RECORD_BYTES) throw tooLarge();
    // The cast of JSON to numbers knows neither a plus nor spaces.
    const kept = typeof value === "string" && shape.isTyped ? value.trim().replace(/^\+/, "") : value;
    if (!shape.repeats) values[shape.index] = kept ?? undefined;
    else {
      const list = values[shape.index];
      if (Array.isArray(list)) list.push(kept);
      else values[shape.index] = [kept];
    }
  }

  #row({ shape, values }: Frame): void {
    const fields = shape.members.map(({ index }) => {
      const value = values[index];
      return value === undefined || typeof value === "string" ? value : json(value);
    });
    const length = fields.reduce((total, text) => total + (text?.length ?? 0), 0);
    this.#spool.row(fields, fields.length, length);
  }
}

function isTyped(shape: Shape): boolean {
  return shape.isText && typeOfShape(shape) !== "VARCHAR";
}

/** With all members, as the engine's cast of JSON to a struct wants them. */
function json(value: Value | null | undefined): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(json).join(",")}]`;
  const members = value.shape.members.map(({ name, index }) => `${JSON.stringify(name)}:${json(value.values[index])}`);
  return `{${members.join(",")}}`;
}

/** The SQL text of the type that holds all values of a shape, without what its repetition makes of it. */
export function typeOfShape(shape: Shape): string {
  const members = shape.members.map((member) => `"${member.name.replaceAll('"', '""')}" ${typeOfMember(member)}`);
  return members.length === 0 ? chooseType(shape.facts.stats()) : `STRUCT(${members.join(", ")})`;
}

export function typeOfMember(shape: Shape): string {
  return `${typeOfShape(shape)}${shape.repeats ? "[]" : ""}`;
}

function tooLarge(): Refusal {
  return new Refusal("XML_LIMIT", `a record has more than ${MAX_RECORD_BYTES} characters`, {
    limit: String(MAX_RECORD_BYTES),
  });
}

function changed(name: string): Refusal {
  return new Refusal("SOURCE_CHANGED", `the document has <${name}> now, which it did not have a moment ago`);
}
