import { sharedSettings } from "../common-options.ts";
import type { Connector } from "../connector.ts";
import { parseOptions } from "../option-values.ts";
import { findFiles } from "../source-files.ts";
import { options } from "./options.ts";

/** Reads Apache Parquet. */
export const parquet: Connector = {
  kind: "parquet",
  summary: "Apache Parquet.",
  extensions: ["parquet", "parq"],
  options,
  check: (given) => void sharedSettings(parseOptions("parquet", options, given)),
  async resolve(source, context) {
    const settings = sharedSettings(parseOptions("parquet", options, source.options));
    const origins = await findFiles(source.uri, context);
    return {
      kind: "parquet",
      paths: origins.map(({ path }) => path),
      totalBytes: origins.reduce((total, { bytes }) => total + bytes, 0),
      badRows: { policy: "fail" },
      origins,
      ...settings,
    };
  },
};
