import type { LibrarySetCheck } from "../../../node/src/index.ts";
import { printable } from "./cell.ts";
import { packageTable } from "./library-set.ts";
import type { Style } from "./style.ts";
import { pairs } from "./table.ts";
import { plural } from "./units.ts";

/** What a check found: what loads, the packages with their licences, and problems. */
export function setCheckText(checked: LibrarySetCheck, source: string, style: Style): string {
  const { librarySet, nodeVersion, kinds, parsers, problems } = checked;
  // What those that were asked for need in turn stands in the table below.
  const needed = new Set(librarySet.packages.filter(({ direct }) => !direct).map(({ name }) => name));
  const versions = (packages: LibrarySetCheck["kinds"][number]["packages"]) => {
    const shown = packages.filter(({ name }) => !needed.has(name)).map((each) => `${each.name} ${each.version}`);
    const more = packages.length - shown.length;
    return `${shown.join(", ")}${more === 0 ? "" : ` and ${plural(more, "package")} that they need`}`;
  };
  const found: [string, string][] = [
    ...kinds.map(({ kind, loads, packages }): [string, string] => [
      `kind ${printable(kind)}`,
      loads ? `loads, with ${printable(versions(packages))}` : "can't be loaded",
    ]),
    ...parsers.map((each): [string, string] => [
      `parsers of ${printable(each.package)}`,
      printable(each.functions.map((name) => `js:${name}`).join(", ")),
    ]),
    ...(checked.source === undefined
      ? []
      : [[`source ${printable(source)}`, printable(checked.source.description)] as [string, string]]),
    ["node", nodeVersion],
  ];
  const lines = problems.map(({ severity, subject, message, reason }) => {
    const shown = `${severity}: ${printable(subject)}: ${printable(message)}${reason === undefined ? "" : ` (${reason})`}`;
    return `${severity === "error" ? style.red(shown) : shown}\n`;
  });
  const sum = problems.length === 0 ? "no problems\n" : `${plural(problems.length, "problem")}\n`;
  return `${pairs(found, style)}\n${packageTable(librarySet, style)}\n${lines.join("")}${sum}`;
}
