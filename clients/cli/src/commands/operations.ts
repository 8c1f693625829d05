import type { Command } from "commander";
import { Option } from "commander";
import type { Operation, OperationKind, OperationState } from "../../../node/src/index.ts";
import { collect } from "../collect.ts";
import type { Act, Context } from "../context.ts";
import { parseLabels } from "../grammar/assignment.ts";
import { counted, repeatable } from "../options.ts";
import { printable } from "../render/cell.ts";
import { operationJson } from "../render/json.ts";
import { table } from "../render/table.ts";
import { durationText, shortCount, timeText } from "../render/units.ts";

interface ListFlags {
  readonly kind?: OperationKind;
  readonly dataset?: string;
  readonly label: readonly string[];
}

interface HistoryFlags extends ListFlags {
  readonly state: readonly OperationState[];
  readonly limit: number;
}

const states = ["pending", "running", "cancelling", "succeeded", "failed", "cancelled", "lost"] as const;
const liveStates: readonly OperationState[] = ["pending", "running", "cancelling"];

/** `drover ps` */
export function registerPs(program: Command, act: Act): void {
  addListOptions(program.command("ps").description("list what runs and waits")).action(act(ps));
}

/** `drover history` */
export function registerHistory(program: Command, act: Act): void {
  addListOptions(program.command("history").description("list operations, finished ones too, newest first"))
    .addOption(repeatable("--state <STATE>", `only this state; may be repeated: ${states.join(", ")}`, states))
    .addOption(counted("--limit <N>", "at most so many").default(50))
    .action(act(history));
}

function addListOptions(command: Command): Command {
  return command
    .addOption(new Option("--kind <KIND>", "only this kind").choices(["load", "query", "export", "append"]))
    .option("--dataset <NAME>", "only operations on this dataset")
    .addOption(repeatable("--label <KEY=VALUE>", "only operations with this label; may be repeated"));
}

async function ps(context: Context, flags: ListFlags): Promise<void> {
  const found = await list(context, { ...flags, state: liveStates, limit: Number.POSITIVE_INFINITY });
  await show(context, found, (operation) => ["", progressText(operation)]);
}

async function history(context: Context, flags: HistoryFlags): Promise<void> {
  const found = await list(context, flags);
  await show(context, found, (operation) => [tookText(operation), outcomeText(operation)]);
}

async function list(context: Context, flags: HistoryFlags): Promise<readonly Operation[]> {
  const labels = parseLabels(flags.label);
  await using drover = await context.connect();
  const { kind, dataset, state: states, limit } = flags;
  const kinds = kind === undefined ? [] : [kind];
  return await collect(drover.operations({ ...context.call, kinds, states, dataset, labels, limit }));
}

async function show(
  { globals, output }: Context,
  found: readonly Operation[],
  last: (operation: Operation) => readonly [took: string, detail: string],
): Promise<void> {
  if (globals.json) return output.document({ operations: found.map(operationJson) });
  const columns = [
    { title: "id" },
    { title: "kind" },
    { title: "state" },
    { title: "dataset" },
    { title: "asked" },
    { title: "by" },
    { title: "took", right: true },
    { title: "" },
  ];
  const rows = found.map((operation) => [
    printable(operation.id),
    operation.kind,
    operation.state,
    printable(operation.dataset),
    timeText(operation.createTime),
    printable(operation.requestedBy),
    ...last(operation),
  ]);
  await output.write(table(columns, rows, output.style));
}

function progressText({ progress }: Operation): string {
  if (progress === undefined) return "";
  const share = progress.fraction === undefined ? "" : `${Math.floor(progress.fraction * 100)} %`;
  const rows = progress.rows > 0 ? `${shortCount(progress.rows)} rows` : "";
  return [share, rows, progress.phase].filter((part) => part !== "").join("  ");
}

function tookText({ startTime, endTime }: Operation): string {
  return startTime === undefined || endTime === undefined ? "" : durationText(endTime.getTime() - startTime.getTime());
}

function outcomeText({ error, outcome }: Operation): string {
  if (error !== undefined) return printable(`${error.reason}: ${error.message}`);
  return typeof outcome.rows === "number" ? `${shortCount(outcome.rows)} rows` : "";
}
