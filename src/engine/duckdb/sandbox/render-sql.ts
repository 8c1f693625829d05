import { DriverError } from "../../../errors/driver-error.ts";
import type { CheckedSql, ReadableVersion, Statement } from "../../engine.ts";
import { versionRelation } from "../version-relation.ts";
import { withDefinitions } from "./definitions.ts";

/**
 * Makes a checked SELECT runnable. The text stays as the user wrote it but for the names of datasets, each of which becomes its
 * version, defined in front of it, under the same name. A dataset is found by its exact spelling; common table expressions of the user shadow it as the
 * engine scopes them. Throws SQL_INVALID when values and placeholders differ in number.
 */
export function renderSql(
  checked: CheckedSql,
  parameters: Statement["parameters"],
  versions: readonly ReadableVersion[],
): Statement {
  if (parameters.length !== checked.placeholders)
    throw new DriverError(
      "SQL_INVALID",
      `the SELECT has ${checked.placeholders} placeholders, but ${parameters.length} values were given`,
    );
  const byDataset = new Map(versions.map((version) => [version.dataset, version]));
  const relation = (dataset: string) => {
    const version = byDataset.get(dataset);
    if (!version) throw new DriverError("INTERNAL", `no version was given for dataset ${dataset}`);
    return versionRelation(version);
  };
  const text = withDefinitions(checked, relation);
  // A last semicolon would end the statement early for whoever puts more text after it, a last comment would hide that.
  return { text: `${withoutEnd(text)}\n`, parameters };
}

function withoutEnd(text: string): string {
  let end = text.length;
  while (end > 0 && /[\s;]/.test(text[end - 1] ?? "")) end -= 1;
  return text.slice(0, end);
}
