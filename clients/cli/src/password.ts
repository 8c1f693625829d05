import { createReadStream } from "node:fs";
import type { ReadStream } from "node:tty";
import type { Context } from "./context.ts";
import { UsageError } from "./usage-error.ts";

export interface PasswordFlags {
  readonly password?: boolean;
  readonly passwordFile?: string;
}

const maxBytes = 4_096;

/**
 * The password that a command is given: typed without an echo, or read from a file or standard input. Never an argument, since
 * everybody on the machine sees those. Undefined where none is wanted.
 */
export async function readPassword(
  { output, interrupts: { signal } }: Context,
  { password, passwordFile }: PasswordFlags,
  input: NodeJS.ReadStream = process.stdin,
): Promise<string | undefined> {
  if (passwordFile === undefined && password !== true) return undefined;
  if (passwordFile !== undefined && password === true)
    throw new UsageError("--password and --password-file: give one of them");
  if (passwordFile !== undefined && passwordFile !== "-")
    return withoutLineEnd(await textOf(createReadStream(passwordFile, { signal }), passwordFile));
  if (!input.isTTY) return withoutLineEnd(await textOf(input, "standard input"));
  try {
    return required(await typed(input, signal, () => output.stderr.write("Password: ")));
  } finally {
    output.stderr.write("\n");
  }
}

async function textOf(stream: AsyncIterable<string | Buffer>, what: string): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of stream) {
      const bytes = Buffer.from(chunk);
      size += bytes.length;
      if (size > maxBytes) break;
      chunks.push(bytes);
    }
  } catch (error) {
    throw new UsageError(`${what}: ${(error as Error).message}`);
  }
  if (size > maxBytes) throw new UsageError(`${what} holds no password: it is longer than ${maxBytes} bytes`);
  return Buffer.concat(chunks).toString("utf8");
}

function withoutLineEnd(text: string): string {
  return required(text.replace(/\r?\n$/, ""));
}

function required(password: string): string {
  if (password === "") throw new UsageError("the password is empty");
  return password;
}

/** Return, line feed and Ctrl-D. */
const enter = new Set(["\r", "\n", "\u0004"]);

/** What is typed until Enter. The terminal sends every key as it is, so this sees to the usual ones itself. */
function typed(input: ReadStream, signal: AbortSignal, ask: () => void): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const end = (settle: () => void) => {
      input.off("data", onData);
      signal.removeEventListener("abort", onAbort);
      input.setRawMode(false);
      input.pause();
      settle();
    };
    const onAbort = () => end(() => reject(signal.reason));
    const onData = (data: Buffer) => {
      for (const character of data.toString("utf8")) {
        if (enter.has(character)) return end(() => resolve(text));
        // Ctrl-C, which ends the command in an orderly way.
        if (character === "\u0003") process.kill(process.pid, "SIGINT");
        else if (character === "\u007f" || character === "\b") text = [...text].slice(0, -1).join("");
        // Ctrl-U
        else if (character === "\u0015") text = "";
        else text += character;
      }
      return undefined;
    };
    // The terminal shows what is typed before this.
    input.setRawMode(true);
    ask();
    input.on("data", onData);
    signal.addEventListener("abort", onAbort, { once: true });
    input.resume();
  });
}
