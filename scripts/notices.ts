import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Files in which a package says what whoever passes it on has to pass on. */
const legalFile = /^(licen[cs]e|notice|copying|copyright)([.-].*)?$/i;

/** The licences of the packages in these folders, as the text that goes with their code. Throws for one without any. */
export function notices(folders: readonly string[]): string {
  const sections = folders.map((folder) => section(folder));
  return `This software contains the packages below, each under its own licence.\n\n${sections.join("\n")}`;
}

function section(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    readonly name: string;
    readonly version: string;
    readonly license?: string;
  };
  const files = readdirSync(folder).filter((file) => legalFile.test(file));
  if (files.length === 0 && license === undefined) throw new Error(`${name} says nothing of its licence`);
  const texts = files.sort().map((file) => `\n${readFileSync(join(folder, file), "utf8").trim()}\n`);
  return `${"=".repeat(80)}\n${name} ${version} (${license ?? "see below"})\n${texts.join("")}`;
}
