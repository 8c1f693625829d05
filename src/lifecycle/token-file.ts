import { readOrCreatePrivateFile } from "../config/private-file.ts";
import { newToken } from "./identity.ts";

export interface TokenOptions {
  /** The group that may read it; undefined for none. */
  readonly group: number | undefined;
}

/** Reads the token, making its file once if it is not there. Throws DATA_DIRECTORY_UNUSABLE. */
export function readOrCreateToken(path: string, { group }: TokenOptions): string {
  return readOrCreatePrivateFile({
    ...{ path, group },
    what: "the token file",
    pattern: /^[\x21-\x7e]{16,1024}$/,
    content: "token of 16 or more printable characters",
    make: newToken,
  });
}
