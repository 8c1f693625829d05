import type { FieldMask } from "@bufbuild/protobuf/wkt";
import { suggest } from "../../config/suggest.ts";
import { invalidField } from "./invalid-field.ts";

/**
 * The fields that an update changes: those that its mask names, all of them for `*`, and without a mask those that are not empty.
 * Throws INVALID_REQUEST for a path that is none of them.
 */
export function maskedFields<F extends string>(
  fields: readonly F[],
  values: Readonly<Record<F, unknown>>,
  mask: FieldMask | undefined,
): { readonly fields: readonly F[]; readonly all: boolean } {
  if (mask === undefined || mask.paths.length === 0)
    return { fields: fields.filter((field) => !isEmpty(values[field])), all: false };
  if (mask.paths.includes("*")) return { fields, all: true };
  const named = mask.paths.map((path) => {
    const found = fields.find((field) => path === snakeCase(field));
    if (found === undefined)
      throw invalidField("update_mask", `has no field ${JSON.stringify(path)}${suggest(path, fields.map(snakeCase))}`);
    return found;
  });
  return { fields: named, all: false };
}

function isEmpty(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length === 0;
  return value === undefined || value === "" || value === 0 || value === false;
}

function snakeCase(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
