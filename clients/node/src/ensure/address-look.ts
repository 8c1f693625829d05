import type { AddressFile } from "../address-file.ts";
import { isAddress } from "../checks.ts";
import { readSmallFile, type SmallFile } from "../small-file.ts";

/** What stands at the place of an address file. */
export type AddressLook =
  | { readonly kind: "none" }
  /** Written by a later version of the protocol: neither read nor judged. */
  | { readonly kind: "newer"; readonly why: string }
  | { readonly kind: "unreadable"; readonly why: string }
  | {
      readonly kind: "address";
      readonly file: AddressFile;
      /** The user whose word it is, if nobody else may write it. */
      readonly writer: number | undefined;
    };

/** The format that this client reads. */
const formatVersion = 1;

/** Looks at an address file. Never throws: what is wrong with it is an answer, too. */
export async function lookAtAddress(path: string): Promise<AddressLook> {
  let found: SmallFile;
  try {
    found = await readSmallFile(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return { kind: "none" };
    return { kind: "unreadable", why: `the address file ${path} can't be read: ${message}` };
  }
  return parseAddress(found, path);
}

function parseAddress({ text, onlyWriter }: SmallFile, path: string): AddressLook {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return { kind: "unreadable", why: `the address file ${path} is not JSON` };
  }
  if (typeof content !== "object" || content === null || Array.isArray(content))
    return { kind: "unreadable", why: `the address file ${path} holds no object` };
  const fields = content as Readonly<Record<string, unknown>>;
  if (typeof fields.formatVersion === "number" && fields.formatVersion > formatVersion) {
    const why = `the address file ${path} has format ${fields.formatVersion}, and this client reads ${formatVersion}`;
    return { kind: "newer", why };
  }
  const missing = required.find(([name, type]) => typeof fields[name] !== type);
  if (fields.formatVersion !== formatVersion || missing !== undefined)
    return { kind: "unreadable", why: `the address file ${path} lacks ${missing?.[0] ?? "its format's version"}` };
  const file = content as AddressFile;
  if (!isAddress(file.address))
    return {
      kind: "unreadable",
      why: `the address file ${path} names no address, but ${JSON.stringify(file.address)}`,
    };
  return { kind: "address", file, writer: onlyWriter };
}

const required = [
  ["profile", "string"],
  ["apiVersion", "string"],
  ["address", "string"],
  ["tls", "boolean"],
  ["tokenFile", "string"],
  ["instanceId", "string"],
  ["version", "string"],
  ["fingerprint", "string"],
  ["pid", "number"],
] as const;
