import { CommanderError } from "commander";
import { exitCodeOf, exitCodes, report, signalExitCode } from "./exit.ts";
import { type GlobalFlags, globalsOf, startCommand } from "./globals.ts";
import { Interrupts } from "./interrupts.ts";
import { Output } from "./output.ts";
import { createProgram } from "./program.ts";
import { UsageError } from "./usage-error.ts";

/** Runs the command line and answers with the exit code. */
export async function run(args: readonly string[], env: NodeJS.ProcessEnv, version: string): Promise<number> {
  const output = new Output(process.stdout, process.stderr, env);
  using interrupts = new Interrupts();
  const program = createProgram(output, interrupts, env, version);
  try {
    await program.parseAsync(args, { from: "user" });
    if (interrupts.name !== undefined) return signalExitCode(interrupts.name);
    // A command that has done its work may have found what is a failure to whoever asked.
    return Number(process.exitCode ?? exitCodes.done);
  } catch (thrown) {
    if (interrupts.name !== undefined) {
      output.note("drover: CANCELLED: interrupted");
      return signalExitCode(interrupts.name);
    }
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return exitCodes.done;
    const error = thrown instanceof CommanderError ? usageError(thrown) : thrown;
    report(error, output, startCommand(globalsOf(program.opts<GlobalFlags>(), env)));
    return exitCodeOf(error);
  }
}

const helps: Readonly<Record<string, string>> = {
  "commander.excessArguments":
    "Put a glob, or a text that holds spaces, in quotes; an option that may be repeated stands before each of its values.",
};

/** `error: unknown option '--x'` loses its first word. */
function usageError(error: CommanderError): UsageError {
  const missing = error.code === "commander.help";
  const message = missing ? "a command is missing" : error.message.replace(/^error: /, "");
  const help = helps[error.code] ?? "Run it with --help to see what there is.";
  return new UsageError(message.replace(/\n/g, " "), help);
}
