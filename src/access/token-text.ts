import { hash, randomBytes } from "node:crypto";

/** What a token's text is made of: `drv_KEY_SECRET`. */
export interface TokenText {
  /** Names it, for people and for the catalog; no secret. */
  readonly key: string;
  readonly text: string;
}

const TEXT = /^drv_([0-9a-f]{12})_[A-Za-z0-9_-]{43}$/;
const KEY_BYTES = 6;
/** 256 bits. */
const SECRET_BYTES = 32;

export function newTokenText(): TokenText {
  const key = randomBytes(KEY_BYTES).toString("hex");
  return { key, text: `drv_${key}_${randomBytes(SECRET_BYTES).toString("base64url")}` };
}

/** The key of a token's text; undefined for what is none. */
export function tokenKey(text: string): string | undefined {
  return TEXT.exec(text)?.[1];
}

/** What is kept of a text. Nothing slower is needed: nobody guesses 256 bits. */
export function tokenDigest(text: string): string {
  return hash("sha256", text, "hex");
}
