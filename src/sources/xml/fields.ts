import { StatsCollector } from "../../engine/text/infer-type.ts";
import { MAX_COLUMNS } from "./limits.ts";
import { textOfName } from "./names.ts";
import { localName } from "./record-path.ts";
import { Refusal } from "./refusal.ts";

export interface Naming {
  /** Whether names keep the prefix of their namespace. */
  readonly keepPrefixes: boolean;
  /** What attributes' names begin with. */
  readonly attributePrefix: string;
}

/** The name of what an element or attribute holds, as a column or a member of a struct. */
export function shownName(name: string, { keepPrefixes }: Naming): string {
  return textOfName(keepPrefixes ? name : localName(name));
}

/** Attributes that tell parsers something and are no data. */
export function isDeclaration(attribute: string): boolean {
  if (!attribute.startsWith("x")) return false;
  return (
    attribute === "xmlns" ||
    attribute.startsWith("xmlns:") ||
    /^xsi:(?:nil|schemaLocation|noNamespaceSchemaLocation)$/.test(attribute)
  );
}

/** Whether an attribute says that its element is NULL. */
export function isNil(name: string, value: string): boolean {
  return name === "xsi:nil" && (value === "true" || value === "1");
}

/** Gives names that differ, whatever their case: a repeated one becomes `a_2`. */
export class NameGiver {
  readonly #taken = new Set<string>();

  give(wanted: string): string {
    let name = wanted;
    for (let counter = 2; this.#taken.has(name.toLowerCase()); counter++) name = `${wanted}_${counter}`;
    this.#taken.add(name.toLowerCase());
    return name;
  }
}

const MAX_SAMPLES = 200;
const MAX_SAMPLE_LENGTH = 100;

/** What is known of the values at one place of all records. */
export class ValueFacts {
  readonly #stats = new StatsCollector();
  /** Some of the values, for formats that only the engine knows. */
  readonly samples: string[] = [];

  add(value: string): void {
    this.#stats.add(value);
    if (this.samples.length < MAX_SAMPLES) this.samples.push(value.slice(0, MAX_SAMPLE_LENGTH));
  }

  /** The values are something else than was added. */
  giveUp(): void {
    this.#stats.giveUp();
  }

  stats() {
    return this.#stats.stats();
  }
}

/** Throws where a document has more different elements than a dataset can have columns. */
export function requireColumn(count: number): void {
  if (count > MAX_COLUMNS)
    throw new Refusal("XML_LIMIT", `the records have more than ${MAX_COLUMNS} different elements and attributes`, {
      limit: String(MAX_COLUMNS),
    });
}
