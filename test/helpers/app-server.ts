import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { inject } from "vitest";
import { programIn } from "./driver-program.ts";
import { givenEnvironment } from "./given-environment.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** The driver's program as an app server starts it. */
export const driverProgram = programIn(inject("bundles"));
const startTimeoutMs = 60_000;

/** The example app server as a process of its own. */
export interface ExampleServer extends AsyncDisposable {
  /** Without a slash at the end. */
  readonly url: string;
  /** The instance of the driver that it named at its start. */
  readonly instanceId: string;
  /** Everything that it wrote. */
  log(): string;
  /** Logs somebody in; answers with the cookie. */
  login(user: string): Promise<string>;
  /** Calls a method in Connect's JSON form. */
  call(method: string, request: object, cookie: string): Promise<{ status: number; text: string }>;
  /** Ends it at once. */
  kill(): Promise<void>;
}

/** Starts `examples/app-server/main.ts` on a free port, with the client's sources in place of its build. */
export async function startExample(env: Readonly<Record<string, string>>): Promise<ExampleServer> {
  const args = ["--conditions=drover-source", "examples/app-server/main.ts", "--port", "0"];
  const child = spawn(process.execPath, args, {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...givenEnvironment(), HOME: process.env.HOME, DROVER_DRIVER: driverProgram, ...env },
  });
  const exited = once(child, "close");
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  const kill = async () => {
    child.kill("SIGKILL");
    await exited;
  };
  try {
    const lines = createInterface(child.stdout);
    const signal = AbortSignal.timeout(startTimeoutMs);
    const [line = ""] = (await Promise.race([once(lines, "line", { signal }), exited.then(() => [])])) as [string?];
    lines.on("line", (text) => {
      log += `${text}\n`;
    });
    const [, url, instanceId] = /^(http:\/\/[\d.]+:\d+)\/ .*?([\da-f-]{36})$/.exec(line) ?? [];
    if (url === undefined || instanceId === undefined) throw new Error(`the example did not start: ${line}\n${log}`);
    log += `${line}\n`;
    return {
      url,
      instanceId,
      log: () => log,
      kill,
      login: (user) => login(url, user),
      call: (method, request, cookie) => call(`${url}/api/drover.v1.${method}`, request, cookie),
      [Symbol.asyncDispose]: kill,
    };
  } catch (error) {
    await kill();
    throw error;
  }
}

async function login(url: string, user: string): Promise<string> {
  const body = new URLSearchParams({ user });
  const { headers } = await fetch(`${url}/login`, { method: "POST", body, redirect: "manual" });
  return headers.get("set-cookie")?.split(";", 1)[0] ?? "";
}

async function call(url: string, request: object, cookie: string): Promise<{ status: number; text: string }> {
  const headers = { "content-type": "application/json", cookie };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(request) });
  return { status: response.status, text: await response.text() };
}
