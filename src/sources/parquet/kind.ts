import type { SourceKind } from "../connector.ts";
import { options, settingsOf } from "./options.ts";

/** Apache Parquet. */
export const parquet: SourceKind = {
  kind: "parquet",
  summary: "Apache Parquet.",
  extensions: ["parquet", "parq"],
  options,
  wholeFiles: true,
  check: (given) => void settingsOf(given),
};
