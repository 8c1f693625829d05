import { Message } from "apache-arrow/ipc/metadata/message";
import { arrowSchema, type TypedColumn } from "./arrow-type.ts";
import { encapsulate } from "./framing.ts";

/** The encapsulated schema message of a result. */
export function encodeSchema(columns: readonly TypedColumn[]): Uint8Array {
  return encapsulate(Message.encode(Message.from(arrowSchema(columns))), 0, () => undefined);
}
