import type { Command } from "commander";
import type { OptionDescription, OptionType } from "../../../node/src/index.ts";
import type { Act, Context } from "../context.ts";
import { suggestion } from "../grammar/suggest.ts";
import { table } from "../render/table.ts";
import { UsageError } from "../usage-error.ts";

/** `drover sources kinds [KIND]` */
export function registerSourceKinds(group: Command, act: Act): void {
  group
    .command("kinds [kind]")
    .description("list the kinds of sources, or what -o takes for one of them")
    .action(act(kinds));
}

const takes: Readonly<Record<OptionType, string>> = {
  string: "text",
  boolean: "true, false",
  integer: "number",
  stringList: "a,b",
  stringMap: "a=b,c=d",
};

async function kinds({ connect, call, globals, output }: Context, name: string | undefined): Promise<void> {
  await using drover = await connect();
  const known = await drover.sources.kinds(call);
  const found = name === undefined ? known : known.filter(({ kind }) => kind === name);
  if (name !== undefined && found.length === 0)
    throw new UsageError(
      `there is no kind "${name}"${suggestion(
        name,
        known.map(({ kind }) => kind),
      )}`,
    );
  if (globals.json) return output.document({ kinds: found });
  const [kind] = found;
  if (name === undefined || kind === undefined) {
    const columns = [{ title: "kind" }, { title: "chosen by" }, { title: "what it is" }];
    const rows = known.map(({ kind: each, extensions, schemes, summary }) => {
      const chosen = [...extensions.map((ending) => `.${ending}`), ...schemes.map((scheme) => `${scheme}:`)];
      return [each, chosen.join(" "), summary];
    });
    return output.write(table(columns, rows, output.style));
  }
  const columns = [{ title: "option" }, { title: "takes" }, { title: "default" }, { title: "meaning" }];
  const rowsOf = (options: readonly OptionDescription[]) =>
    options.map(({ name: option, type, choices, default: usual, doc }) => [
      option,
      choices.length > 0 ? choices.join(", ") : takes[type],
      usual,
      doc,
    ]);
  const { bold } = output.style;
  await output.write(`${bold("Options of a source")}\n${table(columns, rowsOf(kind.options), output.style)}`);
  if (kind.connectionOptions.length === 0) return;
  await output.write(
    `\n${bold("Options of a connection, or of a source with a URL")}\n${table(columns, rowsOf(kind.connectionOptions), output.style)}`,
  );
}
