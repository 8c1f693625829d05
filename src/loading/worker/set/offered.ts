import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Connector as PackagedConnector } from "@drover/connector";
import { DriverError } from "../../../errors/driver-error.ts";
import type { Connector } from "../../../sources/connector.ts";
import { withDriverOptions } from "../../../sources/packaged/driver-options.ts";
import { PackageGuard } from "../../../sources/packaged/failure.ts";
import { packagedConnector } from "../../../sources/packaged/packaged-connector.ts";
import type { WorkerSet } from "../protocol.ts";

type OfferedConnector = WorkerSet["connectors"][number];
type OfferedParsers = WorkerSet["parsers"][number];

/** What packages offer, once their modules are loaded. What is not plain data in it does not reach the driver. */
export interface SetDescription {
  readonly connectors: readonly { readonly kind: string; readonly descriptor: unknown }[];
  readonly parsers: readonly { readonly package: string; readonly functions: readonly string[] }[];
}

/** A package's connector as the built-in ones are. Throws CONNECTOR_INVALID, and CONNECTOR_FAILED where its module does. */
export async function loadOffered(offered: OfferedConnector, folder: string): Promise<Connector> {
  const { kind, package: name, version } = offered;
  const packaged = await ofModule(offered, folder, ({ connector }) => {
    if (!isConnector(connector)) throw invalid(offered, "exports no connector");
    return packagedConnector(connector, { kind, package: name, version });
  });
  return withDriverOptions(packaged, offered.descriptor);
}

/** Loads every module that the set's packages offer. Throws CONNECTOR_INVALID. */
export async function describeOffered({
  folder,
  connectors,
  parsers,
}: Pick<WorkerSet, "folder" | "connectors" | "parsers">): Promise<SetDescription> {
  const described: SetDescription["connectors"][number][] = [];
  for (const offered of connectors) {
    const descriptor = await ofLoadable(offered, folder, (exported) => plain(exported.kind, offered));
    await loadOffered(offered, folder);
    described.push({ kind: offered.kind, descriptor });
  }
  const functions: SetDescription["parsers"][number][] = [];
  for (const offered of parsers) {
    const names = await ofLoadable(offered, folder, (exported) =>
      Object.entries(exported).flatMap(([name, value]) => (typeof value === "function" ? [name] : [])),
    );
    if (names.length === 0) throw invalid(offered, "exports no function");
    functions.push({ package: offered.package, functions: names.sort() });
  }
  return { connectors: described, parsers: functions };
}

type Exports = Readonly<Record<string, unknown>>;

/** What a module exports, for as long as it is looked at: that, too, runs the package's code. */
async function ofModule<T>(
  offered: OfferedConnector | OfferedParsers,
  folder: string,
  look: (exported: Exports) => T,
): Promise<Awaited<T>> {
  const { package: name, version, module } = offered;
  const kind = "kind" in offered ? offered.kind : "";
  const guard = new PackageGuard({ kind, package: name, version }, new AbortController().signal);
  return guard.run(async () => look(allOf(await inTime(import(pathToFileURL(join(folder, module)).href)))));
}

/** With those of CommonJS modules that can't be told without running them. What is made only when it is asked for is not asked for. */
function allOf(exported: Exports): Exports {
  const common = typeof exported.default === "object" && exported.default !== null ? exported.default : {};
  const found = { ...Object.getOwnPropertyDescriptors(common), ...Object.getOwnPropertyDescriptors(exported) };
  return Object.defineProperties({}, found) as Exports;
}

const LOAD_TIMEOUT_MS = 30_000;

/** A module may wait at its top for what never comes. */
async function inTime<T>(loading: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const late = () => reject(new Error(`the module has not loaded within ${LOAD_TIMEOUT_MS / 1_000} s`));
  const timer = setTimeout(late, LOAD_TIMEOUT_MS);
  try {
    return await Promise.race([loading, promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function ofLoadable<T>(
  offered: OfferedConnector | OfferedParsers,
  folder: string,
  look: (exported: Exports) => T,
): Promise<Awaited<T>> {
  try {
    return await ofModule(offered, folder, look);
  } catch (error) {
    if (!(error instanceof DriverError) || error.reason !== "CONNECTOR_FAILED") throw error;
    const { package: name, version } = offered;
    throw invalid(offered, `can't be loaded: ${error.message.slice(`${name}@${version}: `.length)}`, error.cause);
  }
}

function isConnector(value: unknown): value is PackagedConnector {
  return typeof (value as Partial<PackagedConnector> | undefined)?.open === "function";
}

/** Data only, whatever it was. */
function plain(value: unknown, offered: OfferedConnector): unknown {
  if (value === undefined) return undefined;
  const text = textOf(value, offered) ?? "null";
  if (text.length > MAX_DESCRIPTOR) throw invalid(offered, `describes its kind with ${text.length} characters`);
  return JSON.parse(text);
}

const MAX_DESCRIPTOR = 1_000_000;

function textOf(value: unknown, offered: OfferedConnector): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw invalid(offered, "describes its kind with what is no plain data", error);
  }
}

function invalid(offered: OfferedConnector | OfferedParsers, why: string, cause?: unknown): DriverError {
  const { package: name, version, module } = offered;
  return new DriverError("CONNECTOR_INVALID", `${name}@${version}: ${module} ${why}`, {
    metadata: { package: name, version, module, ...("kind" in offered && { kind: offered.kind }) },
    cause,
  });
}
