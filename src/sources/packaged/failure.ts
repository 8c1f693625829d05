import { DriverError } from "../../errors/driver-error.ts";
import { isOutOfMemory } from "../../errors/out-of-memory.ts";
import { asDriverError } from "../connector-error.ts";
import { boundedText } from "./bounds.ts";

/** Whose code it is. */
export interface PackagedKind {
  readonly kind: string;
  readonly package: string;
  readonly version: string;
}

const MAX_SHOWN = 500;
const MAX_ENTRIES = 32;
/** What the worker itself has a reason for. */
const OF_THE_DISK = new Set(["ENOSPC", "EDQUOT"]);

/** Runs a package's code and names the package where it fails in a way that it has not foreseen. */
export class PackageGuard {
  readonly #source: PackagedKind;
  readonly #signal: AbortSignal;

  constructor(source: PackagedKind, signal: AbortSignal) {
    this.#source = source;
    this.#signal = signal;
  }

  async run<T>(work: () => T | Promise<T>): Promise<Awaited<T>> {
    try {
      return await work();
    } catch (error) {
      throw this.#failure(error);
    }
  }

  async *each<T, R>(items: () => AsyncIterable<T>, work: (item: T) => R): AsyncGenerator<R> {
    try {
      for await (const item of items()) yield work(item);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  #failure(thrown: unknown): unknown {
    if (this.#signal.aborted) return this.#signal.reason;
    const foreseen = foreseenIn(thrown);
    if (foreseen !== undefined) return foreseen;
    const { package: name, version, kind } = this.#source;
    return new DriverError("CONNECTOR_FAILED", `${name}@${version}: ${messageOf(thrown)}`, {
      metadata: { package: name, version, kind },
      cause: thrown,
    });
  }
}

/** What connectors may say, and what the worker itself has a reason for. Even a look at what was thrown may throw. */
function foreseenIn(thrown: unknown): unknown {
  try {
    const known = asDriverError(thrown);
    if (known instanceof DriverError) return known === thrown ? known : bounded(known);
    const { code } = (thrown ?? {}) as { readonly code?: unknown };
    return (typeof code === "string" && OF_THE_DISK.has(code)) || isOutOfMemory(thrown) ? thrown : undefined;
  } catch {
    return undefined;
  }
}

/** A package's own words, which travel to the driver and into its history. */
function bounded({ reason, message, metadata, violations, cause }: DriverError): DriverError {
  const entries = Object.entries(metadata).slice(0, MAX_ENTRIES);
  return new DriverError(reason, boundedText(message), {
    metadata: Object.fromEntries(entries.map(([key, value]) => [boundedText(key), boundedText(value)])),
    violations: violations.map(({ field, description }) => ({
      field: boundedText(field),
      description: boundedText(description),
    })),
    cause,
  });
}

function messageOf(thrown: unknown): string {
  try {
    const text = deniedAccess(thrown) ?? (thrown instanceof Error ? thrown.message || thrown.name : String(thrown));
    const [line = ""] = text.trim().split("\n");
    return line.toWellFormed().slice(0, MAX_SHOWN);
  } catch {
    return "it threw something that has no text";
  }
}

/** Node's own words advise flags that nobody can give. */
function deniedAccess(thrown: unknown): string | undefined {
  const { code, permission, resource } = (thrown ?? {}) as Readonly<Record<string, unknown>>;
  if (code !== "ERR_ACCESS_DENIED" || typeof permission !== "string") return undefined;
  const what = typeof resource === "string" && resource !== "" ? `${permission} of ${resource}` : permission;
  return `${what} is not for packages; context.files() gives the files of the source`;
}
