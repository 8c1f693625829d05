import { readdir, readFile } from "node:fs/promises";
import { openCatalog } from "../../../src/catalog/catalog.ts";
import { claimInstance } from "../../../src/catalog/instance.ts";
import { DriverError } from "../../../src/errors/driver-error.ts";
import type { UploadPart } from "../../../src/uploads/model.ts";
import { uploadsFolder } from "../../../src/uploads/store.ts";
import { openTestUploads } from "../../helpers/uploads.ts";

// Runs with files, or on a disk, that can't take more than a few megabytes, and reports what happened as one JSON object.
const [dataDirectory = ""] = process.argv.slice(2);
const MB = 1_000_000;
const bytes = Buffer.alloc(20 * MB, "0123456789");

async function* sent(from: number, to: number): AsyncGenerator<UploadPart> {
  for (let at = from; at < to; at += 100_000)
    yield { type: "bytes", bytes: bytes.subarray(at, Math.min(to, at + 100_000)) };
  yield { type: "end", sha256: undefined };
}

await using instance = await claimInstance({ dataDirectory, id: "test" });
await using catalog = await openCatalog({ dataDirectory, instance });
const uploads = await openTestUploads(dataDirectory, instance, catalog);
const begin = { name: "a.csv", format: "", size: undefined, sha256: undefined, offset: 0, requestedBy: "test" };
const tooMuch = await uploads.receive({ ...begin, id: "large" }, sent(0, bytes.length)).then(
  () => "finished",
  (error: unknown) => (error instanceof DriverError ? error.reason : String(error)),
);
const { finished, receivedBytes } = await uploads.get("large");
const [file = ""] = await readdir(uploadsFolder(dataDirectory));
const kept = await readFile(`${uploadsFolder(dataDirectory)}/${file}`);
const keptRight = kept.length === receivedBytes && kept.equals(bytes.subarray(0, receivedBytes));
await uploads.remove("large");
const small = await uploads.receive({ ...begin, id: "small" }, sent(0, MB));
const left = (await readdir(uploadsFolder(dataDirectory))).length;
console.log(JSON.stringify({ tooMuch, finished, receivedBytes, keptRight, small: small.finished, left }));
