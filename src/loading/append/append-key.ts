import { hash } from "node:crypto";
import { canonicalJson } from "../../operations/identity.ts";
import type { Whose } from "../../operations/owner.ts";

/** A sign that no client's id has. */
const OF = "@";

/**
 * Under what an append is known. Clients choose ids; so that nobody ends another one's stream, goes on with it, or learns of it, those of
 * others than administrators are apart for each owner.
 */
export function appendKey({ id, whose }: { readonly id: string; readonly whose?: Whose | undefined }): string {
  if (whose === undefined || whose.owns(undefined)) return id;
  return `${id}${OF}${hash("sha256", canonicalJson(whose.owner), "hex").slice(0, 16)}`;
}
