import { randomUUID } from "node:crypto";

/**
 * A name for an upload's file. Nothing of the client's name is in it but an ending of plain letters and digits, by which
 * compression and the layout of JSON are told.
 */
export function newFileName(clientName: string): string {
  const ending = /(?:\.[a-z0-9]{1,10})?(?:\.(?:gz|zst))?$/i.exec(clientName)?.[0] ?? "";
  return `${randomUUID()}${ending.toLowerCase()}`;
}

/** Whether a file in the folder of uploads can be one of theirs. */
export function isUploadFile(name: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\.[a-z0-9]{1,10}){0,2}$/.test(name);
}

/** A name for a text that was pasted, with the ending of what it looks like. */
export function nameOfText(text: string): string {
  const first = /\S/.exec(text.replace(/^\uFEFF/, ""))?.[0];
  if (first === "<") return "text.xml";
  return first === "{" || first === "[" ? "text.json" : "text.csv";
}
