import { Command } from "commander";
import { collect } from "../collect.ts";
import type { Act, Context } from "../context.ts";
import { printable } from "../render/cell.ts";
import { table } from "../render/table.ts";
import { bytesText, timeText } from "../render/units.ts";

/** `drover uploads [list|rm]` */
export function registerUploads(program: Command, act: Act): void {
  const uploads = program.command("uploads").description("list and delete the files that clients have sent");
  uploads.addCommand(new Command("list").description("list uploads").action(act(list)), { isDefault: true });
  uploads.addCommand(new Command("rm").description("delete an upload").argument("<id>").action(act(remove)));
}

async function list({ connect, call, globals, output }: Context): Promise<void> {
  await using drover = await connect();
  const found = await collect(drover.uploads(call));
  if (globals.json) return output.document({ uploads: found });
  const columns = [
    { title: "id" },
    { title: "name" },
    { title: "bytes", right: true },
    { title: "state" },
    { title: "used" },
  ];
  const rows = found.map(({ id, name, receivedBytes, size, finished, useTime }) => [
    printable(id),
    printable(name),
    bytesText(receivedBytes),
    finished ? "finished" : `unfinished${size === undefined ? "" : ` of ${bytesText(size)}`}`,
    timeText(useTime),
  ]);
  await output.write(table(columns, rows, output.style));
}

async function remove({ connect, call, globals, output }: Context, given: string): Promise<void> {
  const id = given.replace(/^upload:/, "");
  await using drover = await connect();
  await drover.deleteUpload(id, call);
  if (globals.json) return output.document({ deleted: id });
  await output.write(`${printable(id)} is deleted\n`);
}
