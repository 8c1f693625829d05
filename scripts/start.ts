/** Finds or starts a driver, loads three million flights unless they are there, and asks a first question. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Drover, DroverError, type EnsureEvent, ensureDriver } from "../clients/node/src/index.ts";

const root = join(import.meta.dirname, "..");
const command = join(root, "bin", "drover");
const cache = process.env.DROVER_CACHE_DIR || join(root, ".cache");
const parquet = join(root, "node_modules", "vega-datasets", "data", "flights-3m.parquet");
const csv = join(cache, "flights-3m.csv");
// An address in the environment names another driver than the one that is started here.
delete process.env.DROVER_ADDRESS;
// This script's own, and no setting of the driver.
delete process.env.DROVER_CACHE_DIR;

/** A step could not be done; what there is to say has been said. */
class Failed extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super("failed");
    this.exitCode = exitCode;
  }
}

async function main(): Promise<void> {
  mkdirSync(cache, { recursive: true });
  await using client = await ensureDriver({ lease: false, onEvent: tellStart });
  await ensureFlights(client);
  const question = [
    "query",
    "flights",
    "-d",
    "hour=date:hour_of_day",
    "-m",
    "flights=count",
    "-m",
    "avg_delay=avg:delay",
  ];
  say(`\n$ bin/drover ${question.join(" ")} --bars avg_delay`);
  await drover([...question, "--bars", "avg_delay"]);
  await tellNext(client);
}

function tellStart(event: EnsureEvent): void {
  if (event.type === "starting")
    say(event.replaces === undefined ? "Starting a driver" : "Starting the driver's successor");
  if (event.type === "connected" && !event.started) say("The driver runs already");
}

async function ensureFlights(client: Drover): Promise<void> {
  for await (const { name, version } of client.datasets()) {
    if (name !== "flights" || version.source?.uri !== csv) continue;
    say(`The dataset flights is loaded already (${version.rows.toLocaleString("en-US")} rows)`);
    return;
  }
  await exportCsv();
  say(`\n$ bin/drover load flights ${csv}`);
  await drover(["load", "flights", csv]);
}

/** Once: the way through CSV is what most data takes. */
async function exportCsv(): Promise<void> {
  if (existsSync(csv)) return;
  say("Exporting three million flights to CSV");
  const { DuckDBInstance } = await import("@duckdb/node-api");
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const draft = `${csv}.${process.pid}.tmp`;
  try {
    await connection.run(`COPY (FROM read_parquet(${quoted(parquet)})) TO ${quoted(draft)} (FORMAT csv, HEADER)`);
    await rename(draft, csv);
  } finally {
    connection.closeSync();
    instance.closeSync();
    await rm(draft, { force: true });
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

async function drover(args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { stdio: "inherit" });
  // Ctrl-C reaches the command as well, which cancels its work and ends; this process follows it.
  const ignore = () => {};
  process.on("SIGINT", ignore);
  const [code] = (await once(child, "exit")) as [number | null];
  process.off("SIGINT", ignore);
  if (code !== 0) throw new Failed(code ?? 1);
}

async function tellNext(client: Drover): Promise<void> {
  const { pid, logFile } = await client.driver();
  say(`
The driver listens on ${client.address} (process ${pid}); its log is ${logFile || "where it was started"}.
It stays up until nobody has used it for half an hour, or \`bin/drover stop\`; any command starts it again. What to try next:

  bin/drover status
  bin/drover describe flights
  bin/drover query flights -d origin -m count -m 'late=count where delay > 15' --top 10 --others --order count:desc
  bin/drover query flights -d date:week -m avg:delay -w 'origin in (ATL, ORD)'
  bin/drover sql 'SELECT origin, max(delay) FROM flights GROUP BY origin ORDER BY 2 DESC LIMIT 5'
  bin/drover load NAME FILE                       your own CSV, JSON or Parquet
  node_modules/.bin/node examples/app-server/main.ts   an app server with a chart in the browser`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

// A reader that has seen enough (`npm start | head`) is no error.
process.stdout.on("error", () => process.exit());

try {
  await main();
} catch (error) {
  if (error instanceof Failed) process.exitCode = error.exitCode;
  else if (error instanceof DroverError) {
    process.stderr.write(`drover: ${error.reason}: ${error.message}\n${error.help}\n`);
    process.exitCode = 1;
  } else throw error;
}
