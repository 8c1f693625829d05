import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { bareEnvironment, npmEnvironment } from "./environment.ts";
import { RegistryWatch } from "./lost-registry.ts";
import { isBundling, npmError } from "./npm-error.ts";
import { type NpmEnd, type NpmOptions, runNpm } from "./run-npm.ts";

export interface NpmParts {
  /** Where packages are installed. */
  readonly folder: string;
  /** For a cache and a home where npm shall not use the user's. */
  readonly workFolder: string;
  /** Undefined for the one of npm's own configuration. */
  readonly registry: string | undefined;
  /** Whether npm shall use no configuration, no cache and no registry but these. */
  readonly alone: boolean;
  readonly environment: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/**
 * Whatever a user's configuration says, these hold: nothing but packages of a registry, no scripts, real files and no links, an
 * answer in JSON, no request that is not needed.
 */
const ALWAYS = [
  ...["--ignore-scripts", "--engine-strict", "--bin-links=false", "--install-strategy=hoisted", "--install-links"],
  ...["--allow-git=none", "--allow-remote=none", "--allow-file=none", "--allow-directory=none"],
  ...["--global=false", "--dry-run=false", "--save", "--package-lock", "--lockfile-version=3", "--omit=dev"],
  ...["--audit=false", "--fund=false", "--update-notifier=false", "--json", "--loglevel=http", "--color=false"],
  // npm itself waits for a minute before its third try, for each package.
  ...["--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=10000"],
  ...["--progress=false", "--logs-max=0", "--omit-lockfile-registry-resolved"],
];
const FETCHED = /^npm http (?:fetch GET 200|cache) \S+\.tgz\b/;

/** npm, as it is run for one set. */
export class Npm {
  readonly #parts: NpmParts;
  readonly #options: readonly string[];
  readonly #environment: NodeJS.ProcessEnv;
  readonly #ownCache: string | undefined;

  private constructor(parts: NpmParts, ownCache: string | undefined) {
    const { folder, workFolder, registry, alone, environment } = parts;
    this.#parts = parts;
    this.#ownCache = ownCache;
    this.#environment = alone ? bareEnvironment(environment, workFolder) : npmEnvironment(environment);
    this.#options = [
      ...["--prefix", folder, ...ALWAYS],
      ...(registry === undefined ? [] : [`--registry=${registry}`]),
      ...(ownCache === undefined ? [] : [`--cache=${ownCache}`]),
      // No file is there: no setting of somebody's leads to another registry.
      ...(alone ? noConfiguration(workFolder) : []),
    ];
  }

  static async open(parts: NpmParts): Promise<Npm> {
    const own = parts.alone || !(await hasHome(parts.environment));
    return new Npm(parts, own ? join(parts.workFolder, "cache") : undefined);
  }

  /**
   * Makes `package-lock.json` of `package.json`. To see what a package has in its own tarball, npm would fetch that by its URL, which
   * nothing may; when it installs, it sees what it has unpacked.
   */
  async resolve(): Promise<void> {
    const registry = new RegistryWatch();
    const lost = new AbortController();
    const end = await this.#end(["install", "--package-lock-only"], {
      signal: AbortSignal.any([this.#parts.signal, lost.signal]),
      onLine: (line) => {
        const error = registry.read(line);
        if (error !== undefined) lost.abort(error);
      },
    });
    if (end.code === 0) return;
    if (!isBundling(end)) throw npmError(end);
    await this.#run(["install"]);
  }

  /** Installs what `package-lock.json` says. */
  async fetch(onFetched: (packages: number) => void): Promise<void> {
    let fetched = 0;
    await this.#run(["ci"], (line) => {
      if (FETCHED.test(line)) onFetched(++fetched);
    });
  }

  /** Where npm keeps what it has fetched, by hash. */
  async cacheFolder(): Promise<string> {
    if (this.#ownCache !== undefined) return this.#ownCache;
    const { folder, signal } = this.#parts;
    const end = await runNpm(["config", "get", "cache", "--prefix", folder, "--logs-max=0"], {
      ...{ cwd: folder, env: this.#environment, signal },
    });
    if (end.code !== 0) throw npmError(end);
    return end.output.trim();
  }

  /** Runs the install scripts of these packages and of no others; they get no configuration of npm and no home of the user's. */
  async runScripts(names: readonly string[]): Promise<void> {
    const { folder, workFolder, environment, signal } = this.#parts;
    const bare = ["--prefix", folder, "--logs-max=0", "--json", "--audit=false", "--update-notifier=false"];
    const options = [...bare, `--cache=${join(workFolder, "script-cache")}`, ...noConfiguration(workFolder)];
    const env = bareEnvironment(environment, workFolder);
    const run = async (args: readonly string[]) => {
      const end = await runNpm(["rebuild", ...args, ...options], { cwd: folder, env, signal });
      if (end.code !== 0) throw npmError(end);
    };
    // Programs of other packages, which scripts call by their names.
    await run(["--ignore-scripts", "--bin-links"]);
    await run([...names, "--bin-links", "--ignore-scripts=false", "--dangerously-allow-all-scripts"]);
  }

  async #run(args: readonly string[], onLine?: (line: string) => void): Promise<void> {
    const end = await this.#end(args, { ...(onLine && { onLine }) });
    if (end.code !== 0) throw npmError(end);
  }

  #end(args: readonly string[], more: Partial<Pick<NpmOptions, "onLine" | "signal">>): Promise<NpmEnd> {
    const { folder, signal } = this.#parts;
    return runNpm([...args, ...this.#options], { cwd: folder, env: this.#environment, signal, ...more });
  }
}

function noConfiguration(workFolder: string): readonly string[] {
  return [`--userconfig=${join(workFolder, "no-user")}`, `--globalconfig=${join(workFolder, "no-global")}`];
}

/** A service's user may have a home that is not there, or may not be written. */
async function hasHome(environment: NodeJS.ProcessEnv): Promise<boolean> {
  // npm reads such variables in any case.
  if (Object.keys(environment).some((name) => name.toLowerCase() === "npm_config_cache")) return true;
  return access(environment.HOME ?? homedir(), constants.W_OK).then(
    () => true,
    () => false,
  );
}
