import { VERSION } from "./compose/compose.ts";
import { DriverError } from "./errors/driver-error.ts";
import { reasons } from "./errors/reasons.ts";
import { workerProgram } from "./loading/workers/worker-program.ts";
import { serve } from "./serve.ts";

const EXIT = { done: 0, failed: 1, usage: 2, hurried: 130 } as const;

const USAGE = `usage: drover serve [--listen HOST:PORT] [--data-dir DIR] [--profile NAME] [--config FILE] [--SETTING VALUE]…
       drover config show [--origins] [--json]
docs/configuration.md lists the settings.
`;

async function main(args: readonly string[]): Promise<number> {
  const [command, ...rest] = args;
  switch (command) {
    case "serve":
      return EXIT[await serve(rest, workerProgram(import.meta.filename))];
    case "config": {
      const { showConfig } = await import("./config/show-config.ts");
      return showConfig(rest, process.env, (text) => process.stdout.write(text));
    }
    case "--version":
      process.stdout.write(`${VERSION}\n`);
      return EXIT.done;
    case "help":
    case "--help":
      process.stdout.write(USAGE);
      return EXIT.done;
    default:
      process.stderr.write(USAGE);
      return EXIT.usage;
  }
}

/** A reader such as `head` leaves when it has enough. */
function allowClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
}

function complain(thrown: unknown): number {
  const error = DriverError.from(thrown);
  const { cause } = error;
  const why = cause instanceof Error && !error.message.includes(cause.message) ? `because: ${cause.message}\n` : "";
  process.stderr.write(`drover: ${error.reason}: ${error.message}\n${why}${reasons[error.reason].help}\n`);
  if (error.reason === "INTERNAL") console.error(cause);
  return error.reason === "USAGE" || error.reason === "CONFIG_INVALID" ? EXIT.usage : EXIT.failed;
}

allowClosedPipes();
process.exitCode = await main(process.argv.slice(2)).catch(complain);
