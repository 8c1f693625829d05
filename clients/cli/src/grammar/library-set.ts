import type { KindSettings, PackageVersion } from "../../../node/src/index.ts";
import { UsageError } from "../usage-error.ts";
import { parseAssignment } from "./assignment.ts";

/** `pg@8.11.3`, `@acme/connector@1.2.0`. Whether that is a package's name and one version is for the driver to say. */
export function parsePackage(text: string): PackageVersion {
  // An @ at the beginning is a scope's.
  const at = text.indexOf("@", 1);
  return at < 1 ? { name: text, version: "" } : { name: text.slice(0, at), version: text.slice(at + 1) };
}

/** `postgres.partitions=2`. */
export function parseKindSettings(texts: readonly string[]): KindSettings {
  const found: Record<string, Record<string, string>> = {};
  for (const text of texts) {
    const [key, value] = parseAssignment(text);
    const dot = key.indexOf(".");
    if (dot < 1 || dot === key.length - 1) throw new UsageError(`"${text}": write KIND.OPTION=VALUE`);
    const kind = key.slice(0, dot);
    found[kind] = { ...found[kind], [key.slice(dot + 1)]: value };
  }
  return found;
}
