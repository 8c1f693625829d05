import type { SourceKind } from "../connector.ts";
import { options, settingsOf } from "./options.ts";

/** Comma-separated values and their relatives. */
export const csv: SourceKind = {
  kind: "csv",
  summary: "Comma-separated values, and other delimited text.",
  extensions: ["csv", "txt"],
  options,
  check: (given) => void settingsOf("csv", given),
};
