import type { Command } from "commander";
import { DroverError, type ListedDriver, listDrivers } from "../../../node/src/index.ts";
import type { Act, Context } from "../context.ts";
import { shellWord, tlsOf, tokenFileOf } from "../globals.ts";
import { printable } from "../render/cell.ts";
import { driverFacts } from "../render/driver.ts";
import { pairs } from "../render/table.ts";

/** https://grpc.io/docs/guides/status-codes/ */
const unavailable = 14;

/** `drover status` */
export function registerStatus(program: Command, act: Act): void {
  program
    .command("status")
    .description("show every driver of the data directory, and whether this profile would use it; starts none")
    .option("--env", "print the address and token file of the profile's driver as settings for a shell")
    .action(act(status));
}

async function status(context: Context, flags: { readonly env?: boolean }): Promise<void> {
  const { globals } = context;
  if (flags.env) return printEnvironment(context);
  if (globals.address !== undefined) return showAddressed(context);
  await showAll(context);
}

async function printEnvironment({ connect, globals, output }: Context): Promise<void> {
  await using drover = await connect({ start: false });
  const { tokenFile } = await tokenFileOf(globals);
  if (globals.json) return output.document({ DROVER_ADDRESS: drover.address, DROVER_TOKEN_FILE: tokenFile });
  const token = tokenFile === undefined ? "" : `DROVER_TOKEN_FILE=${shellWord(tokenFile)}\n`;
  await output.write(`DROVER_ADDRESS=${shellWord(drover.address)}\n${token}`);
}

async function showAddressed({ connect, globals, output, call }: Context): Promise<void> {
  await using drover = await connect();
  const info = await drover.driver(call);
  const { address } = drover;
  if (globals.json) return output.document({ drivers: [{ ...info, address, tokenFile: globals.tokenFile }] });
  await output.write(pairs(driverFacts(info, { address, tokenFile: globals.tokenFile }), output.style));
}

async function showAll({ globals, output, call }: Context): Promise<void> {
  const { dataDir: dataDirectory, profile, tokenFile } = globals;
  const drivers = await listDrivers({ dataDirectory, tokenFile, tls: await tlsOf(globals) }, call);
  if (globals.json) await output.document({ drivers: drivers.map(driverJson) });
  else await output.write(drivers.map((driver) => block(driver, output.style)).join("\n"));
  if (drivers.some((driver) => driver.file.profile === profile && driver.current && driver.info?.state === "serving"))
    return;
  const message = `no driver of the profile ${JSON.stringify(profile)} serves in ${dataDirectory}`;
  throw new DroverError({ reason: "DRIVER_NOT_FOUND", message, code: unavailable, retryable: true });
}

function driverJson({ file, current, info, error, fit }: ListedDriver) {
  return {
    ...file,
    ...info,
    current,
    fits: fit === undefined ? null : fit.usable && fit.why === "",
    why: whyOf({ current, info, error, fit }),
    ...(error !== undefined && { error: { reason: error.reason, message: error.message } }),
  };
}

function block(driver: ListedDriver, style: Parameters<typeof pairs>[1]): string {
  const { file, info } = driver;
  const facts: [string, string][] =
    info === undefined
      ? [
          ["address", file.address],
          ["profile", printable(file.profile)],
          ["pid", String(file.pid)],
          ["instance", printable(file.instanceId)],
        ]
      : driverFacts(info, file);
  return pairs([...facts, ["used by its profile", printable(whyOf(driver))]], style);
}

/** Whether new calls of the driver's profile go there, in words. */
function whyOf({ current, info, error, fit }: Pick<ListedDriver, "current" | "info" | "error" | "fit">): string {
  if (info === undefined || fit === undefined) return `no: ${error?.message ?? "it does not answer"}`;
  if (info.state !== "serving")
    return `no: it is ${info.state}${info.drainReason === "" ? "" : ` (${info.drainReason})`}`;
  if (!current) return "no: its address file is gone or names another driver";
  if (!fit.usable) return `no: ${fit.why}`;
  if (fit.replaces) return `until its successor has started: ${fit.why}`;
  return fit.why === "" ? "yes" : `yes, although it is not what is wanted in every point: ${fit.why}`;
}
