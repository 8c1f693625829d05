import type { Command } from "commander";
import { type DriverInfo, readAddressFile } from "../../../node/src/index.ts";
import type { Act, Context } from "../context.ts";
import { shellWord } from "../globals.ts";
import { pairs } from "../render/table.ts";
import { bytesText, durationText, timeText } from "../render/units.ts";

/** `drover status` */
export function registerStatus(program: Command, act: Act): void {
  program
    .command("status")
    .description("show the driver of the profile")
    .option("--env", "print its address and token file as settings for a shell")
    .action(act(status));
}

async function status(context: Context, flags: { readonly env?: boolean }): Promise<void> {
  const { connect, call, globals, output } = context;
  await using drover = await connect();
  const driver = await drover.driver(call);
  const { address } = drover;
  const tokenFile = globals.tokenFile ?? (await tokenFileOf(context));
  if (flags.env) {
    const token = tokenFile === undefined ? "" : `DROVER_TOKEN_FILE=${shellWord(tokenFile)}\n`;
    return output.write(`DROVER_ADDRESS=${shellWord(address)}\n${token}`);
  }
  if (globals.json) return output.document({ drivers: [{ ...driver, address, tokenFile }] });
  await output.write(pairs(facts(driver, address, tokenFile), output.style));
}

async function tokenFileOf({ globals }: Context): Promise<string | undefined> {
  if (globals.address !== undefined) return undefined;
  return (await readAddressFile({ dataDirectory: globals.dataDir, profile: globals.profile })).tokenFile;
}

function facts(driver: DriverInfo, address: string, tokenFile: string | undefined): [string, string][] {
  const { memory } = driver;
  const resident = `${bytesText(memory.residentBytes)} of ${bytesText(memory.residentBudgetBytes)}`;
  return [
    ["address", address],
    ["token file", tokenFile ?? "-"],
    ["state", driver.state],
    ["profile", driver.profile],
    ["pid", String(driver.pid)],
    ["started", timeText(driver.startTime)],
    ["version", `${driver.version} (${driver.apiVersion})`],
    ["instance", driver.instanceId],
    ["memory", `${bytesText(memory.processBytes)} used, budget ${bytesText(memory.budgetBytes)}`],
    ["datasets", `${resident} in memory`],
    ["threads", String(driver.threads)],
    ...driver.pools.map(({ name, size, running, queued, maxQueued }): [string, string] => [
      name,
      `${running} of ${size} busy, ${queued} of ${maxQueued} waiting`,
    ]),
    ["event loop", `p99 ${durationText(driver.eventLoopDelayP99Ms)} late`],
  ];
}
