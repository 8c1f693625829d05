import { isAbsolute } from "node:path";
import { pathToFileURL } from "node:url";
import { createContext, Script } from "node:vm";
import { suggest } from "../../config/suggest.ts";
import { DriverError } from "../../errors/driver-error.ts";
import type { ParserSettings } from "./settings.ts";

/** A parser in JavaScript: gets the raw text, null for NULL, and answers the value. */
export type ParserFunction = (text: string | null) => unknown;

/**
 * Loads the functions that the administrator's modules and the packages of the worker's library set export, by name. Throws
 * CONFIG_INVALID, LIBRARY_SET_DAMAGED. For worker processes only.
 */
export async function loadParserFunctions({
  modules,
  packages = [],
}: Pick<ParserSettings, "modules" | "packages">): Promise<ReadonlyMap<string, ParserFunction>> {
  const functions = new Map<string, ParserFunction>();
  for (const path of [...modules, ...packages]) {
    const exported = await importModule(path);
    for (const [name, value] of Object.entries(exported)) {
      if (typeof value !== "function") continue;
      if (functions.has(name)) throw invalid(`${path} exports ${name}, which another module has as well`);
      functions.set(name, value as ParserFunction);
    }
  }
  return functions;
}

async function importModule(path: string): Promise<Readonly<Record<string, unknown>>> {
  if (!isAbsolute(path)) throw invalid(`${path} is no absolute path`);
  try {
    return (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    // A file of a library set that is not what it was.
    if (error instanceof DriverError) throw error;
    throw invalid(`${path} can't be loaded: ${error instanceof Error ? error.message : String(error)}`, error);
  }
}

function invalid(message: string, cause?: unknown): DriverError {
  return new DriverError("CONFIG_INVALID", `parsers.modules: ${message}`, { cause });
}

/** The function of a name. Throws INVALID_OPTION. */
export function functionNamed(functions: ReadonlyMap<string, ParserFunction>, name: string): ParserFunction {
  const found = functions.get(name);
  if (found) return found;
  const known = [...functions.keys()];
  throw new DriverError(
    "INVALID_OPTION",
    `option parsers: no module of the setting parsers.modules and no package of the library set exports the function ${name}${suggest(name, known)}`,
    { metadata: { option: "parsers", function: name } },
  );
}

/** Made once: a context takes 2 ms. */
const sandbox = { work: (): void => undefined };
let runner: (timeout: number) => void = (timeout) => {
  const context = createContext(sandbox);
  const script = new Script("work()");
  runner = (limit) => void script.runInContext(context, { timeout: limit });
  runner(timeout);
};

/** Runs synchronous work for so long at most; false when it was stopped. */
export function withinTime(work: () => void, timeoutMs: number): boolean {
  try {
    // A loop that never ends can only be stopped from outside, which `vm` does for whatever a script calls.
    sandbox.work = work;
    runner(timeoutMs);
    return true;
  } catch (error) {
    if ((error as { readonly code?: unknown } | undefined)?.code === "ERR_SCRIPT_EXECUTION_TIMEOUT") return false;
    throw error;
  } finally {
    sandbox.work = () => undefined;
  }
}
