import type { DroverError, InstallProgress, LibrarySet, Progress } from "../../../node/src/index.ts";
import { printable } from "./cell.ts";
import type { Style } from "./style.ts";
import { table } from "./table.ts";
import { bytesText, countText, plural, timeText } from "./units.ts";

/** How far an install is, for a progress bar. */
export function installProgress({ phase, packages, totalPackages }: InstallProgress): Progress {
  const fraction = totalPackages === undefined ? undefined : packages / totalPackages;
  const count = totalPackages === undefined ? "" : ` ${packages} of ${plural(totalPackages, "package")}`;
  return {
    ...{ rows: 0, totalBytes: 0, bytes: 0, rowsPerSecond: 0, bytesPerSecond: 0, fraction },
    phase: phase === "unknown" ? "working" : `${phase}${phase === "fetching" ? count : ""}`,
  };
}

/** What a set is, without its packages. */
export function librarySetFacts(set: LibrarySet): readonly [string, string][] {
  const { name, hash, kinds, connectors, settings, platform, files, bytes, createTime, createdBy } = set;
  const offered = connectors.map((each): [string, string] => [
    `connector ${printable(each.kind)}`,
    printable(
      `${each.package}@${each.version}, interface ${each.interface}${each.summary === "" ? "" : `: ${each.summary}`}`,
    ),
  ]);
  const parsers = set.parsers.map((each) => printable(`${each.name}@${each.version}`)).join(", ");
  const values = Object.entries(settings).flatMap(([kind, options]) =>
    Object.entries(options).map(([option, value]): [string, string] => [
      `setting ${printable(kind)}.${printable(option)}`,
      printable(value),
    ]),
  );
  return [
    ["name", printable(name)],
    ["hash", hash],
    ["serves", kinds.length === 0 ? "no kind of source" : printable(kinds.join(", "))],
    ...offered,
    ...(parsers === "" ? [] : [["parsers", parsers] as [string, string]]),
    ...values,
    ["runs on", platform ?? "any system"],
    ["holds", `${countText(files)} files, ${bytesText(bytes)}`],
    ["made", `${timeText(createTime)} by ${printable(createdBy)}`],
  ];
}

/** What is still known of a set that can't be read. */
export function damagedSetFacts(
  { name, hash, createTime, createdBy }: LibrarySet,
  { reason, message, help }: DroverError,
): readonly [string, string][] {
  return [
    ["name", printable(name)],
    ...(hash === "" ? [] : [["hash", printable(hash)] as [string, string]]),
    ...(createTime === undefined
      ? []
      : [["made", `${timeText(createTime)} by ${printable(createdBy)}`] as [string, string]]),
    ["problem", `${reason}: ${printable(message)}`],
    ["help", printable(help)],
  ];
}

/** Packages, those that were asked for first. */
export function packageTable({ packages }: LibrarySet, style: Style): string {
  const columns = [{ title: "package" }, { title: "version" }, { title: "licence" }, { title: "remarks" }];
  const sorted = [...packages].sort((left, right) => Number(right.direct) - Number(left.direct));
  const rows = sorted.map(({ name, version, license, direct, scripts }) => {
    const remarks = [
      ...(direct ? ["asked for"] : []),
      ...(scripts === "skipped" ? ["install scripts have not run"] : []),
      ...(scripts === "ran" ? ["install scripts have run"] : []),
    ];
    return [printable(name), printable(version), printable(license ?? "-"), remarks.join(", ")];
  });
  return table(columns, rows, style);
}
