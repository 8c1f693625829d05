import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseFlags } from "../../../src/config/flags.ts";
import { loadConfig } from "../../../src/config/load-config.ts";
import { divideMemory } from "../../../src/config/memory-shares.ts";
import { namedSettings } from "../../../src/config/paths.ts";
import { showConfig } from "../../../src/config/show-config.ts";
import { DriverError } from "../../../src/errors/driver-error.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "drover-config-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const GB = 1e9;
const machine = () => ({ memoryBytes: 10 * GB, cpus: 4, dataHome: folder });

function load(args: readonly string[] = [], environment: Record<string, string> = {}) {
  return loadConfig({ flags: parseFlags(args), environment, machine: machine() });
}

function profile(text: string, name = "default"): string {
  mkdirSync(join(folder, "profiles"), { recursive: true });
  const file = join(folder, "profiles", `${name}.toml`);
  writeFileSync(file, text);
  return file;
}

function refusal(run: () => unknown): DriverError {
  try {
    run();
  } catch (error) {
    if (error instanceof DriverError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("sources of settings", () => {
  test("without any source the defaults of the machine count", () => {
    const { settings, origins, file } = load();
    expect(settings).toMatchObject({ listen: "127.0.0.1:0", dataDir: folder, memory: 6 * GB, threads: 4 });
    expect(settings.tokenFile).toBe(join(folder, "token"));
    expect(origins["limits.maxRequestBytes"]).toBe("default");
    expect(file).toBeUndefined();
  });

  test("a flag counts more than the environment, that more than the file", () => {
    const file = profile('threads = 1\nstopGrace = "1s"\n[limits]\nmaxStreams = 5\n');
    const { settings, origins } = load(["--threads", "3"], { DROVER_THREADS: "2", DROVER_STOP_GRACE: "2s" });
    expect(settings.threads).toBe(3);
    expect(settings.stopGrace).toBe(2_000);
    expect(settings.limits.maxStreams).toBe(5);
    expect(origins).toMatchObject({
      threads: "flag --threads",
      stopGrace: "environment DROVER_STOP_GRACE",
      "limits.maxStreams": `${file}:4`,
    });
  });

  test("the profile chooses the file", () => {
    profile("threads = 7\n", "night");
    expect(load(["--profile", "night"]).settings.threads).toBe(7);
    expect(load().settings.threads).toBe(4);
  });

  test("a profile that was asked for must have its file", () => {
    const error = refusal(() => load(["--profile", "night"]));
    expect(error.message).toContain(join(folder, "profiles", "night.toml"));
  });

  test("a file that was named replaces the profile's, and must be there", () => {
    const file = join(folder, "other.toml");
    expect(refusal(() => load(["--config", file])).message).toContain(file);
    writeFileSync(file, "threads = 9\n");
    expect(load([], { DROVER_CONFIG: file }).settings.threads).toBe(9);
  });

  test("flags take a value behind an equals sign, and switches none", () => {
    const { settings } = load(["--threads=2", "--allow-plain-remote", "--http-origins", "https://a,https://b"]);
    expect(settings.threads).toBe(2);
    expect(settings.allowPlainRemote).toBe(true);
    expect(settings.http.origins).toEqual(["https://a", "https://b"]);
  });
});

describe("a setting that is a table", () => {
  const sets = { postgres: "warehouse", acme: "acme-2" };

  test.each([
    ["a table", '[librarySets.kinds]\npostgres = "warehouse"\nacme = "acme-2"\n', 1],
    ["an inline table", 'threads = 1\nlibrarySets.kinds = { postgres = "warehouse", acme = "acme-2" }\n', 2],
    ["literal texts", '[librarySets.kinds]\npostgres = \'warehouse\'\nacme = """acme-2"""\n', 1],
    ["dotted keys", '[librarySets]\nkinds.postgres = "warehouse"\nkinds.acme = "acme-2"\n', 2],
  ])("is read from %s, and its keys are no settings", (_, text, line) => {
    const file = profile(text);
    const { settings, origins } = load();
    expect(settings.librarySets.kinds).toEqual(sets);
    expect(origins["librarySets.kinds"]).toBe(`${file}:${line}`);
  });

  test("may have points and stars in its keys, in a file and elsewhere", () => {
    const patterns = { "sales.*": "old", "a=b": "new" };
    profile('[librarySets.sources]\n"sales.*" = "old"\n"a=b" = "new"\n');
    expect(load().settings.librarySets.sources).toEqual(patterns);
    expect(load(["--library-sets-sources", "sales.*=old, a=b=new"]).settings.librarySets.sources).toEqual(patterns);
  });

  test("is taken whole from the place that counts, and shown as flags take it", () => {
    profile('[librarySets.kinds]\nmysql = "other"\n');
    const { settings } = load([], { DROVER_LIBRARY_SETS_KINDS: "postgres=warehouse,acme=acme-2" });
    expect(settings.librarySets.kinds).toEqual(sets);
    const shown: string[] = [];
    showConfig(["show", "--library-sets-kinds=postgres=warehouse,acme=acme-2"], { HOME: folder }, (text) =>
      shown.push(text),
    );
    expect(shown).toContain("librarySets.kinds = postgres=warehouse,acme=acme-2\n");
  });
});

describe("what is refused", () => {
  test("an unknown key in a file, with its line and the nearest one", () => {
    const file = profile('threads = 1\n\n[limits]\nmaxRequestByte = "1MB"\n');
    const error = refusal(() => load());
    expect(error.reason).toBe("CONFIG_INVALID");
    expect(error.message).toBe(
      `${file}:4: unknown setting "limits.maxRequestByte"; did you mean "limits.maxRequestBytes"?`,
    );
  });

  test("a file that is not TOML, with line and column", () => {
    const file = profile("threads = 1\nthis is not TOML\n");
    expect(refusal(() => load()).message).toMatch(new RegExp(`^${file}:2:\\d+: `));
  });

  test("an unknown flag, with the nearest one", () => {
    const error = refusal(() => load(["--thread", "1"]));
    expect(error.reason).toBe("USAGE");
    expect(error.message).toBe('unknown flag --thread; did you mean "threads"?');
  });

  test("a flag without its value", () => {
    expect(refusal(() => load(["--threads"])).message).toBe("--threads needs a value");
  });

  test.each([
    ["threads = 0", "whole number from 1"],
    ['threads = "two"', "whole number"],
    ['memory = "512"', "not a size"],
    ["memory = 512", "size in quotes with its unit"],
    ['memory = "1MB"', "less than"],
    ['stopGrace = "5 minutes"', "not a duration"],
    ['listen = "localhost"', "HOST:PORT"],
    ['log.level = "loud"', "expected one of"],
    ['allowPlainRemote = "yes"', "true or false"],
    ["http.origins = [1, 2]", "list of texts"],
    ['librarySets.kinds = "postgres=warehouse"', "expected a table"],
    ["librarySets.kinds = { postgres = 1 }", "postgres: expected a text"],
    ['librarySets.kinds = { postgres = "" }', "expected KIND=SET"],
    ['[librarySets.kinds]\npostgres = "ware\\u0068ouse"', 'librarySets.kinds: write "warehouse" just so'],
    ['librarySets.sources = { "s-*" = """\\\n  warehouse""" }', 'librarySets.sources: write "warehouse" just so'],
    ['dataDir = "/x"', "can't be set in a file"],
    ['tls.certFile = "/c.pem"', "must be given together"],
    ['tls.clientCaFile = "/c.pem"', "needs tls.certFile"],
  ])("%s", (line, message) => {
    profile(`${line}\n`);
    const error = refusal(() => load());
    expect(error.reason).toBe("CONFIG_INVALID");
    expect(error.message).toContain(message);
  });

  test.each([
    ["postgres", "expected KIND=SET"],
    ["=warehouse", "expected KIND=SET"],
    ["postgres=a,postgres=b", "is there twice"],
  ])("the flag --library-sets-kinds %s", (value, message) => {
    expect(refusal(() => load(["--library-sets-kinds", value])).message).toContain(message);
  });

  test("an unknown variable is no error, because Kubernetes makes such, but a warning", () => {
    const { warnings } = load([], { DROVER_PORT: "tcp://10.0.0.1:80", DROVER_THREAD: "3", DROVER_ADDRESS: "x:1" });
    expect(warnings).toHaveLength(2);
    expect(warnings[1]).toBe('environment: DROVER_THREAD is no setting; did you mean "DROVER_THREADS"?');
  });
});

describe("the shares of memory", () => {
  const workers = { min: 0, initial: 0, max: 5, idle: 0, hangTimeout: 60_000 };

  test.each([0.512, 1, 4, 64])("of %d GB never sum up to more than the budget", (gigabytes) => {
    const shares = divideMemory({
      memory: gigabytes * GB,
      residency: { budget: Number.POSITIVE_INFINITY, idle: 0 },
      workers,
    });
    expect(shares.process + shares.loader + shares.reader).toBeLessThanOrEqual(gigabytes * GB);
    expect(shares.resident).toBeLessThan(shares.reader);
    expect(Math.min(shares.process, shares.loader, shares.reader, shares.workers.engineBytes)).toBeGreaterThan(0);
    expect(shares.workers.max * shares.workers.bytes).toBeLessThanOrEqual(shares.loader);
  });

  test("a residency budget leaves room for queries", () => {
    const shares = divideMemory({ memory: GB, residency: { budget: 100 * GB, idle: 0 }, workers });
    expect(shares.resident).toBeLessThan(shares.reader);
    expect(divideMemory({ memory: GB, residency: { budget: 0, idle: 0 }, workers }).resident).toBe(0);
  });
});

test("every setting's default can be read by the setting itself", () => {
  for (const { key, setting } of namedSettings()) {
    const value = setting.fallback.value(machine());
    if (value === Number.POSITIVE_INFINITY) continue;
    expect(setting.read(setting.show(value)), key).toEqual(value);
  }
});
