import { randomUUID } from "node:crypto";
import { basename } from "node:path";
import type { Command } from "commander";
import { type Drover, DroverError, type Upload, type UploadContent } from "../../../node/src/index.ts";
import type { Act, Context } from "../context.ts";
import { printable } from "../render/cell.ts";
import { ProgressBar } from "../render/progress-bar.ts";
import { UsageError } from "../usage-error.ts";

interface UploadFlags {
  readonly id?: string;
  readonly name?: string;
  readonly format?: string;
}

/** `drover upload FILE` */
export function registerUpload(program: Command, act: Act): void {
  program
    .command("upload <file>")
    .description("send a file to the driver, to be loaded as upload:ID; - sends standard input")
    .option("--id <ID>", "the upload's id; that of one that was broken off goes on with it (default: a new one)")
    .option("--name <NAME>", "what to call it; the ending tells the format (default: the file's name)")
    .option("-f, --format <FORMAT>", "the kind of source (default: from the ending)")
    .action(act(uploadFile));
}

async function uploadFile(context: Context, file: string, flags: UploadFlags): Promise<void> {
  const { globals, output } = context;
  await using drover = await context.connect();
  const sent = await send(context, drover, file, flags);
  if (globals.json) return output.document({ upload: sent });
  await output.write(`${printable(sent.uri)}\n`);
}

/** Sends a file, or standard input for `-`, with a progress bar. */
export async function send(
  context: Context,
  drover: Drover,
  file: string,
  flags: Pick<UploadFlags, "id" | "name" | "format">,
): Promise<Upload> {
  if (file === "") throw new UsageError("the path is empty");
  const { output, call, globals } = context;
  const { id = randomUUID(), format } = flags;
  const content: UploadContent = file === "-" ? process.stdin : file;
  const name = flags.name ?? (file === "-" ? "stdin" : basename(file));
  const bar = new ProgressBar(output.stderr, printable(name), quietMs);
  const began = performance.now();
  try {
    return await drover.upload(content, {
      ...{ ...call, id, name, format },
      onProgress: ({ bytes, totalBytes = 0 }) => {
        const seconds = (performance.now() - began) / 1000;
        bar.update({
          ...{ bytes, totalBytes, rows: 0, rowsPerSecond: 0, phase: "sending" },
          bytesPerSecond: bytes / Math.max(seconds, 0.001),
          fraction: totalBytes > 0 ? bytes / totalBytes : undefined,
        });
      },
    });
  } catch (error) {
    bar.clear();
    if (!globals.json && file !== "-" && mayGoOn(error)) output.note(`--id ${id} goes on with it`);
    throw error;
  } finally {
    bar.clear();
  }
}

const quietMs = 300;
const final: ReadonlySet<string> = new Set(["UPLOAD_EXISTS", "UPLOAD_DAMAGED", "UPLOAD_TOO_LARGE", "INVALID_ARGUMENT"]);

function mayGoOn(error: unknown): boolean {
  return error instanceof DroverError && !final.has(error.reason);
}
