import type { Readable } from "node:stream";
import type { StartPhase } from "./options.ts";

/** What a driver says while it starts; docs/lifecycle.md. */
export type LaunchMessage =
  | { readonly event: "phase"; readonly phase: StartPhase }
  | { readonly event: "standby" }
  | { readonly event: "ready"; readonly instanceId: string }
  | { readonly event: "lostRace"; readonly message: string }
  | { readonly event: "failed"; readonly reason: string; readonly message: string };

const events: ReadonlySet<string> = new Set(["phase", "standby", "ready", "lostRace", "failed"]);
/** All messages of a launch together are smaller. */
const maxChars = 64 * 1024;

/** Reads the messages of one launch until the pipe ends; a pipe with too much on it is not read further. */
export async function* readLaunchMessages(pipe: Readable, launchId: string): AsyncGenerator<LaunchMessage> {
  pipe.setEncoding("utf8");
  let rest = "";
  let chars = 0;
  try {
    for await (const chunk of pipe as AsyncIterable<string>) {
      chars += chunk.length;
      if (chars > maxChars) return;
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const message = parse(line);
        if (message?.launchId === launchId && events.has(String(message.event)))
          yield message as unknown as LaunchMessage;
      }
    }
  } catch {
    // A pipe that breaks ends like one that is closed: the process tells the rest.
  }
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}
