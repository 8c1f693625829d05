import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject } from "vitest";
import type { EnsureDriverOptions } from "../../clients/node/src/index.ts";
import { writeProfile } from "./driver.ts";
import { driversOf, killDrivers } from "./driver-processes.ts";
import { programIn } from "./driver-program.ts";

export { eventually, writeProgram } from "./driver-processes.ts";

/** The driver's program of the present sources, as the package installs it. */
export const driverProgram = programIn(inject("bundles"));

/** A data directory whose drivers clients start; what is left of them ends with the test. */
export interface TestProfile extends AsyncDisposable {
  readonly dataDirectory: string;
  /** What `ensureDriver` needs to use it, without a lease and without waits after failures. */
  readonly options: EnsureDriverOptions & { readonly dataDirectory: string };
  /** Writes the profile's file. */
  configure(toml: string, profile?: string): Promise<void>;
  /** The processes of all drivers of the data directory, whatever their files say. */
  processes(): Promise<readonly number[]>;
  /** The address file's content; undefined where there is none. */
  address(profile?: string): Promise<Readonly<Record<string, unknown>> | undefined>;
}

export async function testProfile({ program = driverProgram }: { program?: EnsureDriverOptions["program"] } = {}) {
  const dataDirectory = await mkdtemp(join(tmpdir(), "drover-profile-"));
  const processes = () => driversOf(dataDirectory);
  const profile: TestProfile = {
    dataDirectory,
    options: { dataDirectory, program, lease: false, backoff: { freeFailures: 1_000 } },
    configure: (toml, name = "default") => writeProfile(dataDirectory, name, toml),
    processes,
    address: async (name = "default") => {
      const text = await readFile(join(dataDirectory, "drivers", `${name}.json`), "utf8").catch(() => undefined);
      return text === undefined ? undefined : JSON.parse(text);
    },
    [Symbol.asyncDispose]: async () => {
      await killDrivers(dataDirectory);
      await rm(dataDirectory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  return profile;
}
