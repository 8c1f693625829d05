import { Command, Help, Option } from "commander";
import { registerAppend } from "./commands/append.ts";
import { registerCancel } from "./commands/cancel.ts";
import { registerConnections } from "./commands/connections.ts";
import { registerDatasets } from "./commands/datasets.ts";
import { registerDescribe } from "./commands/describe.ts";
import { registerDrop } from "./commands/drop.ts";
import { registerExplain } from "./commands/explain.ts";
import { registerExport } from "./commands/export.ts";
import { registerLevel } from "./commands/level.ts";
import { registerLibrarySets } from "./commands/library-sets.ts";
import { registerLoad } from "./commands/load.ts";
import { registerLogs } from "./commands/logs.ts";
import { registerHistory, registerPs } from "./commands/operations.ts";
import { registerPreview } from "./commands/preview.ts";
import { registerQuery } from "./commands/query.ts";
import { registerRefresh } from "./commands/refresh.ts";
import { registerRollback } from "./commands/rollback.ts";
import { registerRows } from "./commands/rows.ts";
import { registerSchedule } from "./commands/schedule.ts";
import { registerSources } from "./commands/sources.ts";
import { registerSql } from "./commands/sql.ts";
import { registerEnsure, registerStart } from "./commands/start.ts";
import { registerStats } from "./commands/stats.ts";
import { registerStatus } from "./commands/status.ts";
import { registerDrain, registerStop } from "./commands/stop.ts";
import { registerTokens } from "./commands/tokens.ts";
import { registerUpload } from "./commands/upload.ts";
import { registerUploads } from "./commands/uploads.ts";
import { registerValues } from "./commands/values.ts";
import { registerVersions } from "./commands/versions.ts";
import { type Act, actWith } from "./context.ts";
import { parseDuration } from "./grammar/duration.ts";
import type { Interrupts } from "./interrupts.ts";
import type { Output } from "./output.ts";

const groups: readonly (readonly [heading: string, ...register: ((program: Command, act: Act) => void)[]])[] = [
  ["Driver:", registerStart, registerStatus, registerStop, registerDrain, registerLogs, registerEnsure],
  [
    "Data:",
    registerLoad,
    registerRefresh,
    registerSchedule,
    registerPreview,
    registerAppend,
    registerUpload,
    registerUploads,
    registerDatasets,
    registerDescribe,
    registerVersions,
    registerRollback,
    registerLevel,
    registerExport,
    registerDrop,
  ],
  ["Sources:", registerSources, registerConnections, registerLibrarySets],
  ["Questions:", registerQuery, registerSql, registerExplain, registerRows, registerValues, registerStats],
  ["Access:", registerTokens],
  ["Operations:", registerPs, registerCancel, registerHistory],
];

/** The `drover` command with all its parts. */
export function createProgram(
  output: Output,
  interrupts: Interrupts,
  env: NodeJS.ProcessEnv,
  version: string,
): Command {
  const program: Command = new Command("drover")
    .description("Loads data into columnar datasets and answers aggregate questions, through a driver.")
    .version(version)
    .option("--profile <NAME>", "the driver's profile (default: $DROVER_PROFILE, else default)")
    .option("--data-dir <DIR>", "the driver's data directory (default: $DROVER_DATA_DIR)")
    .option("--address <HOST:PORT>", "the driver's address (default: $DROVER_ADDRESS, else from its address file)")
    .option("--token-file <FILE>", "the file that holds the token (default: $DROVER_TOKEN_FILE)")
    .option("--tls", "speak TLS to --address")
    .option("--tls-ca <FILE>", "certificates to trust in place of the system's (PEM)")
    .option("--tls-cert <FILE>", "this client's certificate (PEM)")
    .option("--tls-key <FILE>", "its private key (PEM)")
    .option("--no-start", "fail where no driver runs instead of starting one")
    .option("--json", "print JSON: one document, or one event in a line for what streams")
    .addOption(new Option("--timeout <TIME>", "give up after 500ms, 30s, 5m, …").argParser(parseDuration))
    .addHelpText(
      "after",
      `
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no driver, 130 interrupted.`,
    )
    .addHelpText("afterAll", ({ command }) =>
      command === program
        ? ""
        : "\n--json, --timeout and the other options of `drover --help` go with every command.\n",
    )
    // An empty list as the default of an option that may be repeated tells nobody anything.
    .configureHelp({
      optionDescription: (option) =>
        Array.isArray(option.defaultValue) ? option.description : new Help().optionDescription(option),
    })
    .showHelpAfterError("Try --help.");
  const act = actWith(program, output, interrupts, env);
  program.commandsGroup("Driver:");
  registerDelegated(program);
  for (const [heading, ...registers] of groups) {
    program.commandsGroup(heading);
    for (const register of registers) register(program, act);
  }
  return quiet(program, output);
}

/** They are here for the help only: the driver's program carries them out. */
function registerDelegated(program: Command): void {
  program.command("serve").description("run the driver in the foreground");
  program.command("config").description("show the driver's settings: config show [--origins]");
}

/** Errors are thrown instead of ending the process, here and in every command. */
function quiet(command: Command, output: Output): Command {
  command.exitOverride();
  command.configureOutput({
    writeOut: (text) => output.stdout.write(text),
    writeErr: () => {},
  });
  for (const part of command.commands) quiet(part, output);
  return command;
}
