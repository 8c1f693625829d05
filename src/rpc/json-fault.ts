import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonReadOptions,
  type JsonValue,
} from "@bufbuild/protobuf";
import { suggest } from "../config/suggest.ts";
import type { FieldViolation } from "../errors/driver-error.ts";

/** The runtime refuses what is nested deeper. */
const MAX_DEPTH = 100;
/** Each level is decoded once more, so what is larger would hold up other calls. */
const MAX_CHARS = 65_536;

/**
 * Finds the field at fault in JSON that is no message of a type, which the runtime names without its path. Undefined where
 * it can't be told.
 */
export function findJsonFault(
  schema: DescMessage,
  text: string,
  options: Partial<JsonReadOptions>,
): FieldViolation | undefined {
  if (text.length > MAX_CHARS) return undefined;
  try {
    return faultIn(schema, JSON.parse(text), { place: "", depth: 0, options });
  } catch {
    // No JSON at all, or nested too deeply: the runtime's own words say so.
    return undefined;
  }
}

interface At {
  /** The path from the request's root; empty there. */
  readonly place: string;
  readonly depth: number;
  readonly options: Partial<JsonReadOptions>;
}

function faultIn(schema: DescMessage, json: JsonValue, at: At): FieldViolation | undefined {
  // Messages of the runtime have JSON forms of their own.
  if (!isObject(json) || schema.typeName.startsWith("google.") || at.depth > MAX_DEPTH) return undefined;
  for (const [key, value] of Object.entries(json)) {
    const field = schema.fields.find(({ jsonName, name }) => key === jsonName || key === name);
    if (field === undefined) {
      const known = schema.fields.map(({ jsonName }) => jsonName);
      return { field: join(at.place, key), description: `is unknown${suggest(key, known)}` };
    }
    const within = { ...at, place: join(at.place, field.name), depth: at.depth + 1 };
    const fault = faultWithin(field, value, within) ?? faultOf(schema, field, key, value, within);
    if (fault) return fault;
  }
  return undefined;
}

/** A fault of a message that the field holds, or one of those in its list. */
function faultWithin({ fieldKind, message }: DescField, value: JsonValue, at: At): FieldViolation | undefined {
  if (message === undefined) return undefined;
  if (fieldKind === "message") return faultIn(message, value, at);
  if (fieldKind !== "list" || !Array.isArray(value)) return undefined;
  for (const [index, item] of value.entries()) {
    const fault = faultIn(message, item, { ...at, place: `${at.place}[${index}]` });
    if (fault) return fault;
  }
  return undefined;
}

/** A fault of the field's own value. */
function faultOf(
  schema: DescMessage,
  field: DescField,
  key: string,
  value: JsonValue,
  { place, options }: At,
): FieldViolation | undefined {
  try {
    fromJson(schema, { [key]: value }, options);
    return undefined;
  } catch (error) {
    // The value may be a password that was given in the wrong form.
    const secret = field.proto.options?.debugRedact === true;
    return { field: place, description: secret ? "must be text" : inWords((error as Error).message, field) };
  }
}

/** What the runtime says, without the names of types that only it knows by place. */
function inWords(text: string, field: DescField): string {
  const [, what, given = ""] = /^cannot decode (\w+) \S+ from JSON:? ([\s\S]+)$/.exec(text) ?? [];
  if (what === "message") return `expected an object, got ${given}`;
  if (what !== "enum") return given || text;
  return `expected a value of ${field.enum?.typeName}, got ${given}${suggestValue(field, given.replaceAll('"', ""))}`;
}

/** People leave the enum's own prefix out. */
function suggestValue(field: DescField, given: string): string {
  const known = field.enum?.values.map(({ name }) => name) ?? [];
  const meant = known.find((name) => name.endsWith(`_${given.toUpperCase()}`));
  return suggest(meant ?? given, known);
}

function isObject(json: JsonValue): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

function join(place: string, name: string): string {
  return place === "" ? name : `${place}.${name}`;
}
