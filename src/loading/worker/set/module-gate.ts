import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { type LoadHookSync, type ResolveHookSync, registerHooks } from "node:module";
import { isAbsolute, join, relative, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { DriverError } from "../../../errors/driver-error.ts";
import { isForbidden } from "./forbidden.ts";
import type { PackageNotes } from "./package-notes.ts";

/** What modules may be loaded of. */
export interface GateOptions {
  /** The set's folder, made real. */
  readonly folder: string;
  /** Hexadecimal SHA-256 by path in the set; undefined while the set is being made and has no manifest yet. */
  readonly hashes: ReadonlyMap<string, string> | undefined;
  /** What `@drover/connector` means. */
  readonly interfaceModule: string;
  /** Folders and files of the driver itself, and modules that its settings name. */
  readonly others: readonly string[];
  readonly notes: PackageNotes;
}

/** By `require`, by `import`, and by a path that `import` takes as it is. */
const NOT_FOUND = new Set(["MODULE_NOT_FOUND", "ERR_MODULE_NOT_FOUND", "ENOENT"]);

export const INTERFACE = "@drover/connector";

/**
 * From now on a module of this process comes from the library set, or is one of the driver's own; and what comes from the set is what the
 * set's manifest says. It holds for `import` and `require` alike.
 */
export function guardModules(options: GateOptions): void {
  const gate = new ModuleGate(options);
  registerHooks({ resolve: gate.resolve, load: gate.load });
}

class ModuleGate {
  readonly #options: GateOptions;
  readonly #others: readonly string[];
  readonly #intact = new Set<string>();
  #allThere = false;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#others = options.others;
  }

  readonly resolve: ResolveHookSync = (specifier, context, next) => {
    const { interfaceModule } = this.#options;
    if (specifier === INTERFACE)
      return { url: pathToFileURL(interfaceModule).href, format: "module", shortCircuit: true };
    if (isForbidden(specifier)) throw refused(specifier, "it is not for packages");
    const resolved = this.#found(() => next(specifier, context));
    if (!resolved.url.startsWith("file:")) return this.#requireBuiltIn(specifier, resolved);
    const path = fileURLToPath(resolved.url);
    const inSet = this.#inSet(path);
    if (inSet === undefined && !this.#others.some((other) => path === other || below(path, other) !== undefined))
      throw refused(specifier, "it lies outside of the library set");
    // Native code is not loaded by way of the other hook.
    if (inSet !== undefined && path.endsWith(".node")) this.#take(path, inSet);
    return resolved;
  };

  readonly load: LoadHookSync = (url, context, next) => {
    if (isForbidden(url)) throw refused(url, "it is not for packages");
    const path = url.startsWith("file:") ? fileURLToPath(url) : undefined;
    const inSet = path === undefined ? undefined : this.#inSet(path);
    if (path !== undefined && inSet !== undefined) this.#take(path, inSet);
    return next(url, context);
  };

  /** What is not found may be what a package can do without, or what was taken away since the set was made. */
  #found<T>(find: () => T): T {
    try {
      return find();
    } catch (error) {
      if (NOT_FOUND.has(String((error as NodeJS.ErrnoException).code))) this.#requireAllFiles();
      throw error;
    }
  }

  #requireAllFiles(): void {
    const { hashes = new Map<string, string>(), folder } = this.#options;
    if (this.#allThere) return;
    const missing = [...hashes.keys()].find((path) => !existsSync(join(folder, path)));
    if (missing !== undefined) throw damaged(missing, "is missing");
    this.#allThere = true;
  }

  #inSet(path: string): string | undefined {
    return below(path, this.#options.folder);
  }

  #requireBuiltIn<T extends { readonly url: string }>(specifier: string, resolved: T): T {
    if (resolved.url.startsWith("node:")) return resolved;
    throw refused(specifier, "it is no file of the library set");
  }

  /** Once for each file: what Node has read a moment ago it does not read again. */
  #take(path: string, inSet: string): void {
    if (this.#intact.has(inSet)) return;
    const { hashes, notes } = this.#options;
    if (hashes !== undefined && this.#found(() => sha256(path)) !== hashes.get(inSet))
      throw damaged(inSet, `was ${hashes.has(inSet) ? "altered" : "added"} since the set was made`);
    this.#intact.add(inSet);
    notes.note(inSet);
  }
}

function damaged(file: string, what: string): DriverError {
  return new DriverError("LIBRARY_SET_DAMAGED", `${file} ${what}`, { metadata: { file } });
}

function sha256(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/** The way down from a folder with `/` between names; undefined where it does not lead down. */
function below(path: string, folder: string): string | undefined {
  const way = relative(folder, path);
  if (way === "" || way === ".." || way.startsWith(`..${sep}`) || isAbsolute(way)) return undefined;
  return sep === "/" ? way : way.replaceAll(sep, "/");
}

function refused(specifier: string, why: string): Error {
  // The code that packages look for when they can do without a module.
  return Object.assign(new Error(`the module ${JSON.stringify(specifier)} can't be loaded: ${why}`), {
    code: "MODULE_NOT_FOUND",
  });
}
