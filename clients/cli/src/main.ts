#!/usr/bin/env node
import { commandOf, delegate, driverCommands } from "./delegate.ts";
import { exitCodes } from "./exit.ts";
import { run } from "./run.ts";

const args = process.argv.slice(2);

// A reader that has seen enough (`drover rows … | head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(exitCodes.done);
  process.stderr.write(`drover: standard output can't be written: ${error.message}\n`);
  process.exit(exitCodes.failed);
});

process.exitCode = driverCommands.has(commandOf(args) ?? "")
  ? await delegate(args, import.meta.url)
  : await run(args, process.env, process.env.DROVER_VERSION ?? "development");
