import { readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

const folder = join(import.meta.dirname, "page");

/** The page's script with the browser client in it: the same build of the client that this server runs with. */
const script = buildSync({
  entryPoints: [join(folder, "app.ts")],
  alias: { "@drover/client/browser": fileURLToPath(import.meta.resolve("@drover/client/browser")) },
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  write: false,
}).outputFiles[0]?.text;

interface PageFile {
  readonly type: string;
  readonly text: string | undefined;
  /** For everybody: what the login itself shows. */
  readonly open?: true;
}

const files: Readonly<Record<string, PageFile>> = {
  "/": { type: "text/html", text: read("index.html") },
  "/login": { type: "text/html", text: read("login.html"), open: true },
  "/style.css": { type: "text/css", text: read("style.css"), open: true },
  "/icon.svg": { type: "image/svg+xml", text: read("icon.svg"), open: true },
  "/app.js": { type: "text/javascript", text: script },
};

const headers = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'self'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
};

/** Answers with the page, or with the login for who is not logged in. */
export function answerPage(pathname: string, user: string | undefined, response: ServerResponse): void {
  const file = files[user === undefined && pathname === "/" ? "/login" : pathname];
  if (user === undefined && !file?.open) response.writeHead(401, headers).end("Log in first.");
  else if (pathname === "/me") send(response, { type: "application/json", text: JSON.stringify({ user }) });
  else if (file === undefined) response.writeHead(404, headers).end("Nothing is here.");
  else send(response, file);
}

function send(response: ServerResponse, { type, text }: PageFile): void {
  response.writeHead(200, { ...headers, "content-type": `${type}; charset=utf-8` }).end(text);
}

function read(name: string): string {
  return readFileSync(join(folder, name), "utf8");
}
