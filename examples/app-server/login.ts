/**
 * A TOY LOGIN: it believes everybody who they say they are. An application has a real one in its place; all that Drover needs
 * of it is `userOf`.
 */
import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";

const cookieName = `toy-session-${randomBytes(4).toString("hex")}`; // browsers send cookies to every port of a host
const maxSessions = 1000;
const maxFormBytes = 1000;
const sessions = new Map<string, string>();

/** Who sends these cookies; undefined for somebody who is not logged in. */
export function userOf(cookies: string | null | undefined): string | undefined {
  const session = (cookies ?? "").split("; ").find((cookie) => cookie.startsWith(`${cookieName}=`));
  return session && sessions.get(session.slice(cookieName.length + 1));
}

/** Answers what concerns the login; false for anything else. */
export function answerLogin(pathname: string, request: IncomingMessage, response: ServerResponse): boolean {
  if (request.method !== "POST" || (pathname !== "/login" && pathname !== "/logout")) return false;
  const answer = pathname === "/login" ? logIn(request, response) : logOut(request, response);
  answer.catch(() => response.writeHead(400).end("no name was given"));
  return true;
}

async function logIn(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const user = new URLSearchParams(await readForm(request)).get("user")?.trim();
  if (!user) throw new Error("no name");
  const session = randomBytes(24).toString("base64url");
  sessions.set(session, user);
  for (const oldest of sessions.keys()) if (sessions.size > maxSessions) sessions.delete(oldest);
  goHome(response, `${cookieName}=${session}; Path=/; HttpOnly; SameSite=Strict`);
}

async function logOut(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const session = /=([\w-]+)$/.exec((request.headers.cookie ?? "").split("; ").find(isOurs) ?? "")?.[1];
  if (session) sessions.delete(session);
  goHome(response, `${cookieName}=; Path=/; Max-Age=0`);
}

function isOurs(cookie: string): boolean {
  return cookie.startsWith(`${cookieName}=`);
}

function goHome(response: ServerResponse, cookie: string): void {
  response.writeHead(303, { location: "/", "set-cookie": cookie }).end();
}

async function readForm(request: IncomingMessage): Promise<string> {
  let form = "";
  for await (const chunk of request.setEncoding("utf8")) {
    form += chunk;
    if (form.length > maxFormBytes) throw new Error("too long");
  }
  return form;
}
