import { type Command, Option } from "commander";
import type { NewToken, Role, Scope, TokenInfo } from "../../../node/src/index.ts";
import { collect } from "../collect.ts";
import type { Act, Context } from "../context.ts";
import { parseGrace, parseLifetime } from "../grammar/duration.ts";
import { parseHidden, parseRowRule } from "../grammar/scope.ts";
import { repeatable } from "../options.ts";
import { printable } from "../render/cell.ts";
import { table } from "../render/table.ts";
import { timeText } from "../render/units.ts";

interface CreateFlags {
  readonly role: Role;
  readonly dataset: readonly string[];
  readonly rows: readonly string[];
  readonly hide: readonly string[];
  readonly expires?: number;
}

/** `drover tokens …` */
export function registerTokens(program: Command, act: Act): void {
  const group = program
    .command("tokens")
    .description("tokens for app servers and people, each with a role and a scope");
  group
    .command("create <name>")
    .description("make a token and print it, this once")
    .addOption(new Option("--role <ROLE>", "what it may do").choices(["reader", "loader", "admin"]).default("reader"))
    .addOption(repeatable("--dataset <PATTERN>", "only datasets of such names; may be repeated (default: all)"))
    .addOption(repeatable("--rows <PATTERN: CONDITION>", "only such rows of them; may be repeated, and all hold"))
    .addOption(repeatable("--hide <PATTERN: COLUMN,…>", "not these columns of them; may be repeated"))
    .addOption(new Option("--expires <TIME>", "ends after 12h, 30d, … (default: never)").argParser(parseLifetime))
    .addHelpText(
      "after",
      `
In patterns * stands for any text and ? for one character. The token goes to standard output and is kept nowhere.

Example:
  drover tokens create shop --role reader --dataset 'sales-*' --rows 'sales-*: region = EU' \\
    --hide '*: salary,ssn*' --expires 30d > shop.token
`,
    )
    .action(act(create));
  group
    .command("list")
    .description("list tokens, without the tokens themselves")
    .option("--revoked", "also those that are revoked")
    .action(act(list));
  group
    .command("rotate <name>")
    .description("give a token a new text and print it, this once")
    .addOption(
      new Option(
        "--grace <TIME>",
        "how long the old one holds yet: 30m, 12h, … or 0 for not at all (default: 1h)",
      ).argParser(parseGrace),
    )
    .addOption(
      new Option("--expires <TIME>", "the new one ends after 12h, 30d, … (default: as before)").argParser(
        parseLifetime,
      ),
    )
    .action(act(rotate));
  group
    .command("revoke <name>")
    .description("end a token at once, and all calls under way with it")
    .action(act(revoke));
}

async function create(context: Context, name: string, flags: CreateFlags): Promise<void> {
  const draft = { name, role: flags.role, scope: scopeOf(flags), lifetimeMs: flags.expires };
  await using drover = await context.connect();
  await told(context, await drover.tokens.create(draft, context.call));
}

function scopeOf({ dataset, rows, hide }: CreateFlags): Scope | undefined {
  if (dataset.length + rows.length + hide.length === 0) return undefined;
  return {
    ...(dataset.length > 0 && { datasets: dataset }),
    rows: rows.map(parseRowRule),
    hidden: hide.map(parseHidden),
  };
}

async function rotate(
  context: Context,
  name: string,
  { grace, expires }: { readonly grace?: number; readonly expires?: number },
): Promise<void> {
  await using drover = await context.connect();
  const options = { ...context.call, graceMs: grace, lifetimeMs: expires };
  await told(context, await drover.tokens.rotate(name, options));
}

/** Nothing but the token goes to standard output, so that it can go on into a file or another program. */
async function told({ globals, output }: Context, made: NewToken): Promise<void> {
  if (globals.json) return output.document(made);
  await output.write(`${made.token}\n`);
  const { name, role, expireTime, previousExpireTime } = made;
  const end = expireTime === undefined ? "never ends" : `ends ${timeText(expireTime)}`;
  const old = previousExpireTime && `; the one before holds until ${timeText(previousExpireTime)}`;
  output.note(`${printable(name)} (${role}) ${end}${old ?? ""}. Keep it: it is not shown again.`);
}

async function list({ connect, call, globals, output }: Context, { revoked }: { readonly revoked?: boolean }) {
  await using drover = await connect();
  const found = await collect(drover.tokens.list({ ...call, revoked }));
  if (globals.json) return output.document({ tokens: found });
  const columns = [
    ...[{ title: "name" }, { title: "role" }, { title: "sees" }, { title: "begins" }, { title: "made" }],
    ...[{ title: "ends" }, { title: "last used" }],
  ];
  const rows = found.map((token) => [
    printable(token.name),
    token.role,
    printable(scopeText(token.scope)),
    `drv_${token.key}_`,
    `${timeText(token.createTime)} by ${printable(token.createdBy)}`,
    endText(token),
    timeText(token.lastUseTime),
  ]);
  await output.write(table(columns, rows, output.style));
}

function scopeText(scope: Scope | undefined): string {
  if (scope === undefined) return "everything";
  const { datasets = ["*"], rows = [], hidden = [] } = scope;
  const parts = [
    datasets.length === 0 ? "nothing" : datasets.join(" "),
    rows.length > 0 && `some rows of ${rows.map(({ dataset }) => dataset).join(" ")}`,
    hidden.length > 0 && `not ${hidden.map(({ dataset, columns }) => `${dataset}: ${columns.join(",")}`).join("; ")}`,
  ];
  return parts.filter((part) => part !== false).join("; ");
}

function endText({ expireTime, previousExpireTime, revokeTime }: TokenInfo): string {
  if (revokeTime !== undefined) return `revoked ${timeText(revokeTime)}`;
  const end = expireTime === undefined ? "never" : timeText(expireTime);
  return previousExpireTime === undefined ? end : `${end} (before: ${timeText(previousExpireTime)})`;
}

async function revoke({ connect, call, globals, output }: Context, name: string): Promise<void> {
  await using drover = await connect();
  const ended = await drover.tokens.revoke(name, call);
  if (globals.json) return output.document({ revoked: ended });
  await output.write(`${printable(ended.name)} is revoked\n`);
}
