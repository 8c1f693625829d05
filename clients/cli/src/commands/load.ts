import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import {
  type Drover,
  DroverError,
  type Load,
  type LoadCompletedEvent,
  type LoadEvent,
  resultOf,
} from "../../../node/src/index.ts";
import type { Act, Context } from "../context.ts";
import { parseLabels } from "../grammar/assignment.ts";
import { parseConditions } from "../grammar/condition.ts";
import { addIncrementOptions, type IncrementFlags, incrementOf } from "../increment-options.ts";
import { counted, repeatable } from "../options.ts";
import { printable } from "../render/cell.ts";
import { datasetDetailJson, operationJson } from "../render/json.ts";
import { ProgressBar } from "../render/progress-bar.ts";
import { bytesText, durationText, plural, shortCount } from "../render/units.ts";
import { type SourceFlags, sourceOf, withSourceFlags } from "../source-flags.ts";
import { UsageError } from "../usage-error.ts";
import { send } from "./upload.ts";

interface LoadFlags extends SourceFlags, IncrementFlags {
  readonly label: readonly string[];
  readonly where: readonly string[];
  readonly columns?: string;
  readonly limit?: number;
  readonly wait: boolean;
}

/** `drover load NAME URI …` */
export function registerLoad(program: Command, act: Act): void {
  const command = program
    .command("load <dataset> [uri]")
    .description("load a path, a glob, a URL, source:NAME or upload:ID into a dataset; - loads standard input");
  addIncrementOptions(withSourceFlags(command))
    .addOption(repeatable("--label <KEY=VALUE>", "a label of dataset and operation; may be repeated"))
    .addOption(repeatable("-w, --where <CONDITION>", "load only rows that pass; several must all hold"))
    .option("--columns <A,B>", "keep only these columns, in this order")
    .addOption(counted("--limit <N>", "load at most so many rows", 1))
    .option("--no-wait", "start the load and leave it to the driver")
    .addHelpText(
      "after",
      `
Examples:
  drover load flights flights.csv
  drover load sales 'sales-2024-*.csv.gz' -o delimiter=';' -o decimalSeparator=,
  drover load zips zips.csv -o types.zip=VARCHAR -o badRows=skip
  drover load late flights.csv -w 'delay > 15' --columns date,origin,delay
  zcat log.json.gz | drover load log - -f json
  drover load orders source:orders
  drover load orders --connection sales -o table=public.orders
  drover load orders orders.csv --watermark changed_at --overlap 1h --key id   then: drover refresh orders

\`drover sources kinds FORMAT\` tells what -o takes.
`,
    )
    .action(act(load));
}

async function load(context: Context, dataset: string, uri: string | undefined, flags: LoadFlags): Promise<void> {
  if (uri === "-" && flags.format === undefined) throw new UsageError("standard input has no ending: give --format");
  const named = sourceOf(uri, flags);
  if (flags.columns !== undefined && named.options?.columns !== undefined)
    throw new UsageError("--columns and -o columns say the same: give one of them");
  const options = flags.columns === undefined ? named.options : { ...named.options, columns: flags.columns };
  const where = parseConditions(flags.where);
  const labels = parseLabels(flags.label);
  const increment = incrementOf(flags);
  const operationId = randomUUID();
  await using drover = await context.connect();
  const sent = uri === "-" ? { uri: (await send(context, drover, uri, flags)).uri } : {};
  const source = { ...named, options, ...sent };
  const more = { labels, where, limit: flags.limit, increment };
  const begin = () => drover.load(dataset, source, { ...context.call, operationId, ...more });
  await carryOut(context, drover, { dataset, operationId, begin, wait: flags.wait });
}

/** A load or a refresh that is to be begun. */
export interface LoadToBe {
  readonly dataset: string;
  readonly operationId: string;
  readonly wait: boolean;
  begin(): Promise<Load>;
}

/** Begins a load and shows how it goes on, to its end if it is waited for. An interrupt cancels it on the driver. */
export async function carryOut(context: Context, drover: Drover, load: LoadToBe): Promise<void> {
  const { dataset, operationId, begin, wait } = load;
  if (!wait) return await told(context, drover, await begin());
  let started: Load | undefined;
  const cancel = (signal: AbortSignal) => stop(started ?? drover.watchLoad(operationId), signal);
  await context.interrupts.guard(cancel, async () => {
    started = await begin();
    await watched(context, dataset, started);
  });
}

async function told({ globals, output, call }: Context, drover: Drover, started: Load): Promise<void> {
  if (!globals.json) return output.write(`${started.operationId}\n`);
  const operation = operationJson(await drover.operation(started.operationId, call));
  await output.event({ event: "accepted", operation, joined: started.joined });
}

async function watched(context: Context, dataset: string, started: Load): Promise<void> {
  const { output, globals, call } = context;
  const bar = new ProgressBar(output.stderr, printable(dataset));
  try {
    for await (const event of started.events(call)) {
      if (globals.json) await output.event(jsonEvent(event, started));
      if (event.type === "progress" && !globals.json) bar.update(event.progress);
      if (event.type === "warning" && !globals.json) {
        bar.clear();
        output.note(`warning: ${printable(event.message)}`);
      }
      if (event.type === "completed") {
        bar.clear();
        await finished(context, event);
      }
    }
  } catch (error) {
    if (error instanceof DroverError && error.reason === "DEADLINE_EXCEEDED")
      await stop(started, undefined).catch(() => {});
    throw error;
  } finally {
    bar.clear();
  }
}

/** For others who have asked for the same it goes on. */
async function stop(started: Load, signal: AbortSignal | undefined): Promise<void> {
  await started.cancel({ signal, timeoutMs: 10_000 });
}

function jsonEvent(event: LoadEvent, started: Load) {
  switch (event.type) {
    case "accepted":
      return { event: "accepted", operation: operationJson(event.operation), joined: started.joined };
    case "progress":
      return { event: "progress", ...event.progress };
    case "warning":
      return { event: "warning", message: event.message };
    case "completed": {
      const { operation, dataset, rejectedRows, rejectedSamples, unchanged } = event;
      return {
        event: "completed",
        operation: operationJson(operation),
        dataset: dataset && datasetDetailJson(dataset),
        rejectedRows,
        rejectedSamples,
        unchanged,
      };
    }
  }
}

async function finished({ output, globals }: Context, event: LoadCompletedEvent): Promise<void> {
  if (!globals.json) rejected(output, event);
  const { dataset, operation, unchanged } = resultOf(event);
  if (globals.json) return;
  const { version } = dataset;
  if (unchanged) return output.write(`${printable(dataset.name)}: nothing new, version ${version.number} stays\n`);
  const ms = (operation.endTime?.getTime() ?? 0) - (operation.startTime?.getTime() ?? 0);
  const seconds = Math.max(ms, 1) / 1000;
  const rates = `${shortCount(version.rows / seconds)} rows/s, ${bytesText(version.sourceBytes / seconds)}/s`;
  const sizes = `${bytesText(version.sourceBytes)} became ${bytesText(version.bytes)}`;
  await output.write(
    `${printable(dataset.name)}: version ${version.number}, ${plural(version.rows, "row")}, ` +
      `${plural(dataset.columns.length, "column")}, ${sizes} in ${durationText(ms)} (${rates})\n`,
  );
}

const shownRejects = 10;

function rejected(output: Context["output"], { rejectedRows, rejectedSamples }: LoadCompletedEvent): void {
  if (rejectedRows === 0) return;
  output.note(`${plural(rejectedRows, "row")} rejected`);
  for (const { file, line, column, reason } of rejectedSamples.slice(0, shownRejects)) {
    const place = [file, line > 0 ? `line ${line}` : "", column === "" ? "" : `column "${column}"`];
    output.note(`  ${printable(place.filter((part) => part !== "").join(", "))}: ${printable(reason)}`);
  }
  if (rejectedSamples.length > shownRejects) output.note(`  … --json shows ${rejectedSamples.length} of them`);
}
