import type { FileOrigin } from "../../engine/file-scan.ts";
import { DriverError } from "../../errors/driver-error.ts";
import { decodedXml, encodingOfXml } from "./decode-xml.ts";
import type { XmlSettings } from "./options.ts";
import { parseRecordPath, type RecordPath } from "./record-path.ts";
import { type RecordSuggestion, suggestRecordPaths } from "./suggest-paths.ts";

export interface LookOptions {
  readonly signal: AbortSignal;
  /** The file may end anywhere. */
  readonly isCut?: boolean | undefined;
}

export interface FoundPath {
  readonly path: RecordPath;
  readonly warnings: readonly string[];
}

/** How much of a document is looked at; more only where nothing repeats in it. */
const LOOK_LENGTH = 1024 * 1024;
const MAX_LOOK_LENGTH = 8 * LOOK_LENGTH;

/** The record path that was given, else the likeliest of the first file that has content. */
export async function findRecordPath(
  origins: readonly FileOrigin[],
  settings: Pick<XmlSettings, "recordPath" | "encoding">,
  options: LookOptions,
): Promise<FoundPath> {
  if (settings.recordPath) return { path: settings.recordPath, warnings: [] };
  for (const { path: file, bytes } of origins) {
    if (bytes === 0) continue;
    const [best, ...others] = await suggestionsOf(file, settings.encoding, options);
    const path = best && parseRecordPath(best.path);
    if (!path) continue;
    return { path, warnings: ambiguity(file, best, others) };
  }
  const file = origins[0]?.path ?? "";
  throw new DriverError("EMPTY_SOURCE", `${origins.map(({ path }) => path).join(", ")} is empty`, {
    metadata: { file },
  });
}

/** The likeliest record paths of the first part of a file. */
export async function suggestionsOf(
  file: string,
  encoding: string | undefined,
  { signal, isCut = false }: LookOptions,
): Promise<readonly RecordSuggestion[]> {
  const from = await encodingOfXml(file, encoding, { signal });
  let text = "";
  let wanted = LOOK_LENGTH;
  for await (const chunk of decodedXml(file, from, { signal, isCut })) {
    text += chunk.text;
    if (text.length < wanted) continue;
    const found = suggestRecordPaths(text, file, from);
    if ((found[0]?.count ?? 0) > 1 || wanted >= MAX_LOOK_LENGTH) return found;
    wanted *= 2;
  }
  return text.trim() === "" ? [] : suggestRecordPaths(text, file, from);
}

/** Neighbours of the record that repeat as well would be lost without a word. */
function ambiguity(file: string, best: RecordSuggestion, others: readonly RecordSuggestion[]): readonly string[] {
  const beside = others.filter(({ path, count }) => count > 1 && !path.startsWith(`${best.path}/`));
  const apart = beside.filter(({ path }) => !best.path.startsWith(`${path}/`));
  if (apart.length === 0) return [];
  const names = apart.map(({ path }) => path).slice(0, 5);
  return [`${file}: the records are ${best.path}; others that repeat are left out (${names.join(", ")})`];
}
