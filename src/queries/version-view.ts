import type { Access, Restriction } from "../access/model.ts";
import type { VersionManifest } from "../datasets/model.ts";
import type { VersionView } from "../engine/engine.ts";
import { DriverError } from "../errors/driver-error.ts";
import { columnType } from "./column-type.ts";
import { planFilter } from "./filters.ts";
import { Place } from "./place.ts";
import { Scope } from "./scope.ts";

/**
 * What somebody may see of a version. Throws ACCESS_DENIED where that can't be said: a version that lacks a column of a row
 * filter, or has it in another type, is shown to nobody whom the filter holds for.
 */
export function viewOf(dataset: string, { columns }: VersionManifest, restriction: Restriction): VersionView {
  const seen = columns.filter(({ name }) => !restriction.hides(name));
  if (seen.length === 0) throw denied(dataset, `the token shows no column of "${dataset}"`);
  const names = columns.map((column) => [column.name, columnType(column)] as const);
  const [filter] = restriction.filters;
  if (filter === undefined) return { columns: seen };
  try {
    const all = { kind: "all", filters: restriction.filters } as const;
    return { columns: seen, rows: planFilter(all, new Scope("column", names), new Place()) };
  } catch (cause) {
    // What the filter says, and which columns there are, is not for whom it holds.
    throw denied(dataset, `the token's row filter does not fit the columns of "${dataset}"`, cause);
  }
}

/** That a version can't be read, and not what is wrong with it: files and their sizes tell how much there is that somebody doesn't see. */
export function seenDamage(error: unknown, dataset: string, access: Access): unknown {
  const isDamage = error instanceof DriverError && error.reason === "VERSION_DAMAGED";
  if (!isDamage || access.restriction(dataset) === undefined) return error;
  const { version = "" } = error.metadata;
  return new DriverError("VERSION_DAMAGED", `version ${version} of "${dataset}" is damaged`, {
    metadata: { dataset, version },
    cause: error,
  });
}

function denied(dataset: string, message: string, cause?: unknown): DriverError {
  return new DriverError("ACCESS_DENIED", message, { metadata: { dataset }, ...(cause !== undefined && { cause }) });
}

/** An error of a load of a dataset that others have begun: it may quote rows that somebody doesn't see. */
export function seenLoadError(error: unknown, dataset: string, access: Access): unknown {
  if (access.restriction(dataset) === undefined || !(error instanceof DriverError)) return error;
  return new DriverError(error.reason, `loading "${dataset}" failed`, { metadata: { dataset }, cause: error });
}
