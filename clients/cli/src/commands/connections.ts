import type { Command } from "commander";
import type { Connection, ConnectionChange } from "../../../node/src/index.ts";
import { collect } from "../collect.ts";
import type { Act, Context } from "../context.ts";
import { parseLabels, parseSourceOptions } from "../grammar/assignment.ts";
import { counted, repeatable } from "../options.ts";
import { type PasswordFlags, readPassword } from "../password.ts";
import { printable } from "../render/cell.ts";
import { librarySetFact, optionText, tellTest } from "../render/definitions.ts";
import { pairs, table } from "../render/table.ts";
import { timeText } from "../render/units.ts";
import { UsageError } from "../usage-error.ts";

interface ConnectionFlags extends PasswordFlags {
  readonly kind?: string;
  readonly uri?: string;
  readonly option: readonly string[];
  readonly secret?: string;
  readonly maxStatements?: number;
  readonly label: readonly string[];
}

/** `drover connections …` */
export function registerConnections(program: Command, act: Act): void {
  const group = program.command("connections").description("servers' addresses by name, with how to log in there");
  withFlags(group.command("add <name> <url>").description("keep a connection to a server"))
    .option("--kind <KIND>", "postgres, mysql (default: from the URL)")
    .addHelpText(
      "after",
      `
The URL holds no password. Give it by one of:
  --secret env:DROVER_SECRET_NAME   a variable of the driver's environment
  --secret file:/PATH               a file of the driver's user with mode 0600
  --password                        typed now, or read from standard input, and kept sealed by the driver
  --password-file FILE              read now and kept sealed by the driver

Example:
  drover connections add sales postgresql://reporting@db.example.com/sales -o tls=verify-full --password
`,
    )
    .action(act(add));
  group
    .command("list")
    .description("list connections")
    .addOption(repeatable("--label <KEY=VALUE>", "only connections with this label; may be repeated"))
    .action(act(list));
  group.command("show <name>").description("show a connection and which sources use it").action(act(show));
  group.command("test <name>").description("log in to its server").action(act(test));
  withFlags(group.command("update <name>").description("change a connection, for all sources that use it"))
    .option("--uri <URL>", "the server's URL; a password that the driver keeps must be given again")
    .option("--no-secret", "forget secret and password")
    .action(act(update));
  group.command("rm <name>").description("delete a connection that no source uses").action(act(remove));
}

function withFlags(command: Command): Command {
  return command
    .addOption(repeatable("-o, --option <KEY=VALUE>", "an option of the connection; may be repeated"))
    .option("--secret <REFERENCE>", "where the password is: env:DROVER_SECRET_NAME or file:/PATH")
    .option("--password", "ask for a password, which the driver keeps sealed")
    .option("--password-file <FILE>", "read the password from a file, - for standard input")
    .addOption(counted("--max-statements <N>", "statements at once, in all loads together; 0 for the driver's limit"))
    .addOption(repeatable("--label <KEY=VALUE>", "a label; may be repeated"));
}

async function add(context: Context, name: string, uri: string, flags: ConnectionFlags): Promise<void> {
  const { kind, secret, maxStatements } = flags;
  const options = parseSourceOptions(flags.option);
  const draft = { name, kind, uri, options, secret, maxStatements, labels: parseLabels(flags.label) };
  const password = await readPassword(context, flags);
  await using drover = await context.connect();
  await told(context, "is kept", await drover.connections.create(draft, { ...context.call, password }));
}

async function list({ connect, call, globals, output }: Context, flags: { readonly label: readonly string[] }) {
  const labels = parseLabels(flags.label);
  await using drover = await connect();
  const found = await collect(drover.connections.list({ ...call, labels }));
  if (globals.json) return output.document({ connections: found });
  const columns = [{ title: "name" }, { title: "kind" }, { title: "url" }, { title: "password" }, { title: "changed" }];
  const rows = found.map((connection) => [
    printable(connection.name),
    connection.kind,
    printable(connection.uri),
    printable(passwordText(connection)),
    timeText(connection.updateTime),
  ]);
  await output.write(table(columns, rows, output.style));
}

async function show({ connect, call, globals, output }: Context, name: string): Promise<void> {
  await using drover = await connect();
  const { usedBy, ...connection } = await drover.connections.get(name, call);
  if (globals.json) return output.document({ connection: { ...connection, usedBy } });
  const { uri, kind, options, maxStatements, librarySet, labels, createTime, updateTime } = connection;
  const entries: [string, string][] = [
    ["name", printable(connection.name)],
    ["kind", kind],
    ["url", printable(uri)],
    ["password", printable(passwordText(connection))],
    ...librarySetFact(librarySet),
    ["statements", maxStatements === undefined ? "the driver's limit" : `${maxStatements} at once`],
    ...Object.entries(options).map(([key, value]): [string, string] => [`option ${printable(key)}`, optionText(value)]),
    ...Object.entries(labels).map(([key, value]): [string, string] => [`label ${printable(key)}`, printable(value)]),
    ["used by", usedBy.length === 0 ? "no source" : usedBy.map(printable).join(", ")],
    ["made", timeText(createTime)],
    ["changed", timeText(updateTime)],
  ];
  await output.write(pairs(entries, output.style));
}

async function test(context: Context, name: string): Promise<void> {
  await using drover = await context.connect();
  await tellTest(context, name, await drover.connections.test(name, context.call));
}

async function update(
  context: Context,
  name: string,
  flags: Omit<ConnectionFlags, "secret"> & { readonly secret?: string | boolean },
): Promise<void> {
  const password = await readPassword(context, flags);
  const { uri, maxStatements } = flags;
  const options = parseSourceOptions(flags.option);
  const labels = parseLabels(flags.label);
  await using drover = await context.connect();
  const before = await drover.connections.get(name, context.call);
  const change: ConnectionChange = {
    ...(uri !== undefined && { uri }),
    ...(flags.option.length > 0 && { options: { ...before.options, ...options } }),
    ...(typeof flags.secret === "string" && { secret: flags.secret }),
    ...(flags.secret === false && { secret: "" }),
    ...(maxStatements !== undefined && { maxStatements }),
    ...(flags.label.length > 0 && { labels: { ...before.labels, ...labels } }),
    ...(password !== undefined && { password }),
  };
  if (Object.keys(change).length === 0) throw new UsageError("nothing is to be changed");
  // What was read is what the change was made for.
  const { etag } = before;
  await told(context, "is changed", await drover.connections.update(name, change, { ...context.call, etag }));
}

async function remove({ connect, call, globals, output }: Context, name: string): Promise<void> {
  await using drover = await connect();
  await drover.connections.delete(name, call);
  if (globals.json) return output.document({ deleted: name });
  await output.write(`${printable(name)} is deleted\n`);
}

async function told({ globals, output }: Context, what: string, connection: Connection): Promise<void> {
  if (globals.json) return output.document({ connection });
  await output.write(`${printable(connection.name)} ${what}\n`);
}

function passwordText({ secret, hasPassword }: Connection): string {
  return secret ?? (hasPassword ? "kept" : "none");
}
