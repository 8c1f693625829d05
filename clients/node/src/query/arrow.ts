import type { Table } from "apache-arrow";
import { clientError } from "../errors.ts";

/** Ends an Arrow IPC stream: the continuation marker and a length of zero. */
export const endOfStream: Uint8Array = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0);

/** Reads an Arrow IPC stream. Needs the package `apache-arrow`, which is loaded at the first call. */
export async function tableFrom(chunks: readonly Uint8Array[]): Promise<Table> {
  const { tableFromIPC } = await loadArrow();
  return tableFromIPC(Buffer.concat(chunks));
}

async function loadArrow() {
  try {
    return await import("apache-arrow");
  } catch (cause) {
    throw clientError("ARROW_MISSING", "the package apache-arrow can't be loaded", { cause });
  }
}
