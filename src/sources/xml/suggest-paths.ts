import { type Attributes, XmlDocument, type XmlHandler } from "./parse-xml.ts";

/** A kind of element that may be the record. */
export interface RecordSuggestion {
  /** For the option `recordPath`. */
  readonly path: string;
  /** How many there are in the text. */
  readonly count: number;
  /** The names of its attributes and of the elements in it. */
  readonly fields: readonly string[];
}

const MAX_SUGGESTIONS = 20;
const MAX_FIELDS = 20;
const MAX_PATHS = 1_000;
/** A kind of element is taken for the record if its elements hold this much of the text. */
const MOST = 0.5;

/**
 * The elements of a document that may be its records, the likeliest first: those that repeat below one parent and hold most of the
 * text, the outermost of them. Where nothing repeats, the innermost element around everything. The text may end anywhere.
 * Throws MALFORMED_XML or XML_ENTITIES.
 */
export function suggestRecordPaths(text: string, name = "the text", encoding = "utf-8"): readonly RecordSuggestion[] {
  const counter = new PathCounter(() => document.position);
  const document = new XmlDocument(name, encoding, counter);
  document.write({ text, startByte: 0 });
  return counter.suggestions();
}

class PathNode {
  readonly name: string;
  readonly parent: PathNode | undefined;
  readonly children = new Map<string, PathNode>();
  readonly attributes = new Set<string>();
  count = 0;
  /** Whether one parent had several. */
  repeats = false;
  /** Characters of the text in them. */
  length = 0;
  /** Those of them that the open parent has. */
  inParent = 0;

  constructor(name: string, parent: PathNode | undefined) {
    this.name = name;
    this.parent = parent;
  }

  get path(): string {
    return this.parent ? `${this.parent.path}/${this.name}` : "";
  }
}

class PathCounter implements XmlHandler {
  readonly #root = new PathNode("", undefined);
  readonly #position: () => number;
  readonly #starts: number[] = [];
  #current = this.#root;
  #paths = 0;
  /** Elements that are not counted, as there are too many kinds of them. */
  #skipped = 0;

  constructor(position: () => number) {
    this.#position = position;
  }

  open(name: string, attributes: Attributes): void {
    const known = this.#current.children.get(name);
    if (this.#skipped > 0 || (!known && this.#paths === MAX_PATHS)) {
      this.#skipped++;
      return;
    }
    const node = known ?? new PathNode(name, this.#current);
    if (!known) {
      this.#paths++;
      this.#current.children.set(name, node);
    }
    node.count++;
    node.inParent++;
    if (node.inParent > 1) node.repeats = true;
    for (const attribute of attributes.names.slice(0, attributes.count))
      if (node.attributes.size < MAX_FIELDS && !/^xmlns(:|$)/.test(attribute)) node.attributes.add(attribute);
    for (const child of node.children.values()) child.inParent = 0;
    this.#starts.push(this.#position());
    this.#current = node;
  }

  text(): void {}

  close(): void {
    if (this.#skipped > 0) {
      this.#skipped--;
      return;
    }
    this.#current.length += this.#position() - (this.#starts.pop() ?? 0);
    this.#current = this.#current.parent ?? this.#root;
  }

  suggestions(): readonly RecordSuggestion[] {
    // What is open where the text ends counts as far as it goes.
    while (this.#current !== this.#root) this.close();
    const all = this.#nodes(this.#root);
    const whole = all[0]?.length ?? 0;
    const repeated = all.filter(({ repeats }) => repeats);
    const likely = repeated.find(({ length }) => length >= whole * MOST);
    const rest = repeated.filter((node) => node !== likely).sort((left, right) => right.length - left.length);
    const ordered = likely ? [likely, ...rest] : rest;
    const found = ordered.length > 0 ? ordered : this.#single();
    return found.slice(0, MAX_SUGGESTIONS).map((node) => ({
      path: node.path,
      count: node.count,
      fields: [...node.attributes, ...node.children.keys()].slice(0, MAX_FIELDS),
    }));
  }

  /** All kinds of elements, level by level. */
  #nodes(root: PathNode): readonly PathNode[] {
    const found: PathNode[] = [];
    let level = [...root.children.values()];
    while (level.length > 0) {
      found.push(...level);
      level = level.flatMap(({ children }) => [...children.values()]);
    }
    return found;
  }

  /** Nothing repeats: the element that holds more than one other, or whose only one holds nothing but text. */
  #single(): readonly PathNode[] {
    let node = this.#root.children.values().next().value;
    while (node && node.children.size === 1 && node.attributes.size === 0) {
      const [only] = node.children.values();
      if (!only || (only.children.size === 0 && only.attributes.size === 0)) break;
      node = only;
    }
    return node ? [node] : [];
  }
}
