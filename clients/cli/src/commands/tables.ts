import type { Command } from "commander";
import type { SourceTable } from "../../../node/src/index.ts";
import type { Act, Context } from "../context.ts";
import { printable } from "../render/cell.ts";
import { TableWriter } from "../render/table.ts";
import { countText } from "../render/units.ts";
import { namedOr, type SourceFlags, sourceOf, withSourceFlags } from "../source-flags.ts";

interface TablesFlags extends SourceFlags {
  readonly contains?: string;
}

const rowsAtOnce = 500;

/** `drover sources tables …` */
export function registerTables(group: Command, act: Act): void {
  withSourceFlags(
    group.command("tables [source]").description("list tables and views: of a source's server, a URL or a connection"),
  )
    .option("--contains <TEXT>", "only those whose schema.name holds this text")
    .addHelpText(
      "after",
      `
Examples:
  drover sources tables --connection sales --contains order
  drover sources tables postgresql://reporting@db.example.com/sales -o secret=env:DROVER_SECRET_SALES
`,
    )
    .action(act(tables));
}

async function tables(context: Context, text: string | undefined, flags: TablesFlags): Promise<void> {
  const { call, globals, output } = context;
  const source = sourceOf(namedOr(text), flags);
  await using drover = await context.connect();
  const found = drover.sources.tables(source, { ...call, contains: flags.contains });
  if (globals.json) {
    for await (const table of found) await output.event({ event: "table", ...table });
    return;
  }
  const columns = [
    { title: "schema" },
    { title: "name" },
    { title: "type" },
    { title: "rows", right: true },
    { title: "comment" },
  ];
  const writer = new TableWriter(columns, output.style);
  let rows: string[][] = [];
  for await (const table of found) {
    rows.push(rowOf(table));
    if (rows.length < rowsAtOnce) continue;
    await output.write(writer.write(rows));
    rows = [];
  }
  await output.write(writer.write(rows));
}

function rowOf({ schema, name, type, rows, comment }: SourceTable): string[] {
  return [
    printable(schema),
    printable(name),
    type,
    rows === undefined ? "" : `~${countText(rows)}`,
    printable(comment),
  ];
}
