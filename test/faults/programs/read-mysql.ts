/** Reads a source in MySQL as a worker does, and says what ends its statement. The source comes on stdin. */
import { text } from "node:stream/consumers";
import type { Source } from "../../../src/sources/connector.ts";
import { mysql } from "../../../src/sources/mysql/connector.ts";

const source = JSON.parse(await text(process.stdin)) as Source;
const session = await mysql.open(source, {
  signal: new AbortController().signal,
  fileRoots: undefined,
  workDirectory: "/nowhere",
  statement: async (ending) => {
    console.log(JSON.stringify(ending));
    return { [Symbol.dispose]: () => undefined };
  },
});
const { partitions } = await session.plan({ maxPartitions: 1, preview: false });
const content = await session.read(partitions[0] ?? {});
if (content.form === "text") for await (const _ of content.chunks);
