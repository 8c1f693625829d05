import { isToken } from "./checks.ts";
import { clientError } from "./errors.ts";
import { readSmallFile } from "./small-file.ts";

/** A token, or the file that holds it. */
export interface TokenOptions {
  readonly token?: string | undefined;
  /** A file that holds the token. */
  readonly tokenFile?: string | undefined;
}

/** The token; undefined where none is named. Throws INVALID_ARGUMENT and UNREADABLE_TOKEN. */
export async function readToken({ token, tokenFile }: TokenOptions): Promise<string | undefined> {
  if (token !== undefined) {
    if (isToken(token)) return token;
    throw clientError("INVALID_ARGUMENT", "the token is empty or holds characters that no token has");
  }
  if (tokenFile === undefined) return undefined;
  const metadata = { file: tokenFile };
  let text: string;
  try {
    text = (await readSmallFile(tokenFile)).text.trim();
  } catch (cause) {
    const message = `the token file ${tokenFile} can't be read: ${(cause as Error).message}`;
    throw clientError("UNREADABLE_TOKEN", message, { cause, metadata });
  }
  // What is in such a file may be a secret of another kind: it is neither sent nor shown.
  if (isToken(text)) return text;
  throw clientError("UNREADABLE_TOKEN", `the file ${tokenFile} holds no token`, { metadata });
}
