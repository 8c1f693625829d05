import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { DriverError } from "../../errors/driver-error.ts";
import { requireAllowedUrl, shownUrl } from "./allowed-urls.ts";

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export interface GetOptions {
  /** Sent to every server on the way. */
  readonly headers: Readonly<Record<string, string>>;
  /** The Authorization header; only for the origin that the client named. */
  readonly authorization: string | undefined;
  /** Which URLs may be fetched; undefined for any. */
  readonly allowed: readonly string[] | undefined;
  /** Silence for so long ends the connection. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** An answer whose body is still to be read; disposing ends its connection. */
export interface Answer extends Disposable {
  readonly url: URL;
  readonly status: number;
  readonly body: IncomingMessage;
  header(name: string): string | undefined;
}

/** Gets a URL, through redirects, each of which must be allowed. Rejects with what went wrong on the network as it is. */
export async function get(from: URL, options: GetOptions): Promise<Answer> {
  let url = from;
  for (let redirects = 0; ; redirects++) {
    requireAllowedUrl(url, options.allowed);
    const sameOrigin = url.origin === from.origin;
    const answer = await getOnce(url, options, sameOrigin ? options.authorization : undefined);
    const location = answer.header("location");
    if (!REDIRECTS.has(answer.status) || location === undefined) return answer;
    answer[Symbol.dispose]();
    if (redirects === MAX_REDIRECTS) throw unusable(url, `more than ${MAX_REDIRECTS} redirects`);
    url = redirected(url, location);
  }
}

function redirected(from: URL, location: string): URL {
  const url = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw unusable(from, "it redirects to no http(s) URL");
  if (from.protocol === "https:" && url.protocol === "http:") throw unusable(from, "it redirects from https to http");
  if (url.username !== "" || url.password !== "") throw unusable(from, "it redirects to a URL with a user in it");
  return url;
}

function unusable(url: URL, why: string): DriverError {
  return new DriverError("URL_NOT_ALLOWED", `${shownUrl(url)}: ${why}`, { metadata: { origin: url.origin } });
}

function getOnce(url: URL, options: GetOptions, authorization: string | undefined): Promise<Answer> {
  const { timeoutMs, signal } = options;
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const headers = {
    "accept-encoding": "identity",
    "user-agent": "drover",
    ...options.headers,
    ...(authorization !== undefined && { authorization }),
  };
  // A connection of its own: what it leaves unread must not be taken for the next answer.
  let received: IncomingMessage | undefined;
  const receive = (body: IncomingMessage) => {
    received = body;
    body.on("error", () => {});
    resolve({
      ...{ url, body, status: body.statusCode ?? 0 },
      header: (name) => {
        const value = body.headers[name];
        return Array.isArray(value) ? value[0] : value;
      },
      [Symbol.dispose]: () => void sent.destroy(),
    });
  };
  const asked = { headers, signal, agent: false } as const;
  const sent = url.protocol === "https:" ? httpsRequest(url, asked, receive) : httpRequest(url, asked, receive);
  sent.setTimeout(timeoutMs, () => {
    const silence = new Error(`the server said nothing for ${timeoutMs / 1_000} s`);
    received?.destroy(silence);
    sent.destroy(silence);
  });
  sent.on("error", reject);
  sent.end();
  return promise;
}
