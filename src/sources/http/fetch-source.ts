import { stat } from "node:fs/promises";
import type { FileOrigin } from "../../engine/file-scan.ts";
import type { HttpAccess, Source, SourceContext } from "../connector.ts";
import { requireAllowedUrl, shownUrl } from "./allowed-urls.ts";
import { download } from "./download.ts";
import { httpSettings } from "./options.ts";
import { checkStatus } from "./representation.ts";
import { get } from "./request.ts";

/** How much of a load's progress the fetching is. */
export const FETCH_SHARE = 0.5;

const NOTHING: HttpAccess = { allowed: [], maxBytes: 0 };

/** Fetches the file of an http(s) source into the session's folder, or its beginning. */
export async function fetchSource(
  source: Source,
  context: SourceContext,
  beginningBytes: number | undefined,
): Promise<FileOrigin> {
  const url = new URL(source.uri);
  const { signal, workDirectory, http = NOTHING } = context;
  context.onPhase?.("fetching");
  const { path, bytes, partial } = await download(url, {
    ...httpSettings(source.uri, source.options),
    ...{ signal, beginningBytes, allowed: http.allowed, maxBytes: http.maxBytes, directory: workDirectory },
    authorization: authorizationOf(source),
    onProgress: (received, total) =>
      context.onProgress?.({
        ...{ rows: 0, bytes: received },
        fraction: total === undefined ? undefined : (received / total) * FETCH_SHARE,
      }),
  });
  const state = await stat(path, { bigint: true });
  return {
    path,
    bytes,
    modifiedNs: state.mtimeNs,
    inode: state.ino,
    shownAs: shownUrl(url),
    ...(partial && { partial }),
  };
}

/** Whether the server has the file, without fetching it. */
export async function testHttpSource(source: Source, { signal, http = NOTHING }: SourceContext): Promise<string> {
  const url = new URL(source.uri);
  requireAllowedUrl(url, http.allowed);
  const { headers, timeoutMs } = httpSettings(source.uri, source.options);
  const authorization = authorizationOf(source);
  using answer = await get(url, { headers, timeoutMs, authorization, allowed: http.allowed, signal });
  checkStatus(answer, 0);
  const length = answer.header("content-length");
  return length === undefined ? "a file of unknown length" : `1 file, ${length} bytes`;
}

function authorizationOf({ authorization }: Source): string | undefined {
  if (authorization === undefined) return undefined;
  const value = authorization.trim();
  return value.includes(" ") ? value : `Bearer ${value}`;
}
