/** A way through a small document: `order/line[1]/@sku`, `order/line[]`. */
export interface XmlPath {
  readonly text: string;
  readonly steps: readonly XmlStep[];
  /** The attribute at its end; the text of the element without one. */
  readonly attribute: string | undefined;
  /** Whether it means all that is there, as a list. */
  readonly all: boolean;
}

export interface XmlStep {
  /** Without a prefix it means the name in any namespace; `*` is any name. */
  readonly name: string;
  /** Which of several, from 1. */
  readonly index: number | undefined;
}

const MAX_STEPS = 50;
const STEP = /^(\*|[^\s/*@[\]'"=<>&()]+)(?:\[(\d{1,6})\])?$/;
const ATTRIBUTE = /^@([^\s/*@[\]'"=<>&()]+)$/;

/** Reads a path from the root element on; undefined if it is none. */
export function parseXmlPath(given: string): XmlPath | undefined {
  const text = given.trim().replace(/^(['"])(.*)\1$/s, "$2");
  const all = text.endsWith("[]");
  const parts = (all ? text.slice(0, -2) : text).replace(/^\//, "").split("/");
  const attribute = ATTRIBUTE.exec(parts.at(-1) ?? "")?.[1];
  const names = attribute === undefined ? parts : parts.slice(0, -1);
  const steps = names.map((part) => {
    const [, name, index] = STEP.exec(part) ?? [];
    return name === undefined || index === "0"
      ? undefined
      : { name, index: index === undefined ? undefined : Number(index) };
  });
  if (steps.length === 0 || steps.length > MAX_STEPS || !steps.every((step) => step !== undefined)) return undefined;
  return { text, steps, attribute, all };
}
