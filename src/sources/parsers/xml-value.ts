import { XMLParser, XMLValidator } from "fast-xml-parser";
import { matchesStep } from "../xml/record-path.ts";
import type { XmlPath } from "./xml-path.ts";

/** A document that is a value has so many characters at most: it is parsed as a whole, which takes 14 times its size. */
const MAX_LENGTH = 4 * 1024 * 1024;
const MAX_DEPTH = 100;
const TEXT = "#text";
const CDATA = "#cdata";
const ATTRIBUTES = ":@";

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: "",
  cdataPropName: CDATA,
  maxNestedTags: MAX_DEPTH,
  // Entities are resolved below: the five and numbers, of the texts that are wanted.
  processEntities: false,
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
});

type Node = Readonly<Record<string, unknown>>;

/** What a path means in a small document: a text, or a list of all that it leads to. Throws an Error that says what is wrong. */
export function valueInXml(text: string, path: XmlPath): string | null | readonly (string | null)[] {
  const found = nodesAt(documentOf(text), path);
  const values = found.map((node) => selected(node, path.attribute));
  if (path.all) return values;
  if (values.length > 1)
    throw new Error(`${path.text} leads to ${values.length} places; ${path.text}[] takes all of them, an index one`);
  return values[0] ?? null;
}

function documentOf(text: string): readonly Node[] {
  if (text.length > MAX_LENGTH) throw new Error(`it has more than ${MAX_LENGTH} characters`);
  if (/<!DOCTYPE[^>]*\[/i.test(prologOf(text)))
    throw new Error("its document type declares something, which is refused");
  const valid = XMLValidator.validate(text);
  if (valid !== true) throw new Error(`it is not well-formed (line ${valid.err.line}: ${valid.err.msg})`);
  return parser.parse(text) as readonly Node[];
}

/** What stands before the root element. */
function prologOf(text: string): string {
  const root = /<[^!?]/.exec(text.replaceAll(/<!--.*?-->/gs, (comment) => " ".repeat(comment.length)));
  return text.slice(0, root?.index ?? text.length);
}

function nodesAt(document: readonly Node[], { steps }: XmlPath): readonly Node[] {
  let level: readonly Node[] = [{ "": document }];
  for (const { name, index } of steps)
    level = level.flatMap((node) => {
      const children = childrenOf(node).filter(
        (child) => matchesStep(name, nameOf(child)) && nameOf(child) !== TEXT && nameOf(child) !== CDATA,
      );
      return index === undefined ? children : children.slice(index - 1, index);
    });
  return level;
}

function nameOf(node: Node): string {
  return Object.keys(node).find((key) => key !== ATTRIBUTES) ?? "";
}

function childrenOf(node: Node): readonly Node[] {
  const children = node[nameOf(node)];
  return Array.isArray(children) ? (children as readonly Node[]) : [];
}

function selected(node: Node, attribute: string | undefined): string | null {
  if (attribute === undefined) return textOf(node).replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "") || null;
  const attributes = (node[ATTRIBUTES] ?? {}) as Readonly<Record<string, unknown>>;
  const name = Object.keys(attributes).find((key) => matchesStep(attribute, key));
  return name === undefined ? null : resolved(String(attributes[name])) || null;
}

/** All text in an element, that of elements within it too. */
function textOf(node: Node): string {
  return childrenOf(node)
    .map((child) => {
      const name = nameOf(child);
      if (name === TEXT) return resolved(String(child[TEXT]));
      if (name === CDATA)
        return childrenOf(child)
          .map((part) => String(part[TEXT]))
          .join("");
      return textOf(child);
    })
    .join("");
}

const NAMED: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function resolved(text: string): string {
  if (!text.includes("&")) return text;
  return text.replaceAll(/&([^;\s&]*);?/g, (all, name: string) => {
    const character = all.endsWith(";") ? characterOf(name) : undefined;
    if (character === undefined) throw new Error(`the entity ${all.slice(0, 50)} is not known`);
    return character;
  });
}

function characterOf(name: string): string | undefined {
  if (Object.hasOwn(NAMED, name)) return NAMED[name];
  const digits = /^#(?:x([0-9a-f]{1,6})|(\d{1,7}))$/i.exec(name);
  if (!digits) return undefined;
  const code = digits[1] === undefined ? Number(digits[2]) : Number.parseInt(digits[1], 16);
  const isCharacter =
    code === 9 || code === 10 || code === 13 || (code >= 32 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff));
  return isCharacter ? String.fromCodePoint(code) : undefined;
}
