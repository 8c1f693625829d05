import { writeSync } from "node:fs";
import { openParts } from "./open-parts.ts";
import { writeRawSegments } from "./raw-segments.ts";

// Loads, publishes and deletes until it is killed, and says before and after each step what it does.
const [dataDirectory = "", names = ""] = process.argv.slice(2);

const { store, operations } = await openParts(dataDirectory);
await operations.recover();

/** Straight to the pipe: what was said before a SIGKILL has been said. */
function say(step: string, name: string, version = 0): void {
  writeSync(1, `${JSON.stringify({ step, name, version })}\n`);
}

async function loadOnce(name: string): Promise<void> {
  const request = { kind: "load", dataset: name, requestedBy: "test", labels: {}, configuration: {} } as const;
  const { id, done } = operations.run(
    request,
    async (handle) => {
      handle.begin();
      await using staged = await store.stage(name);
      say("staged", name);
      const sizes = Array.from({ length: 1 + Math.floor(Math.random() * 4) }, () => Math.ceil(Math.random() * 200_000));
      const content = await writeRawSegments(staged.directory, id, sizes);
      say("publishing", name);
      const { current } = await staged.publish(content, {});
      say("published", name, current.number);
      return { result: undefined, outcome: { version: current.number } };
    },
    {},
  );
  await done;
}

async function loadForEver(name: string): Promise<never> {
  for (;;) {
    await loadOnce(name);
    if (Math.random() < 0.1) {
      say("deleting", name);
      await store.delete(name);
      say("deleted", name);
    }
  }
}

await Promise.all(names.split(",").map(loadForEver));
