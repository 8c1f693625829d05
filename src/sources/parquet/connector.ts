import type { Connector } from "../connector.ts";
import { fileConnector } from "../file-connector.ts";
import { findFiles } from "../source-files.ts";
import { settingsOf } from "./options.ts";

/** Reads Apache Parquet. */
export const parquet: Connector = fileConnector("parquet", async (source, context) => {
  const settings = settingsOf(source.options);
  const origins = await findFiles(source, context);
  return {
    kind: "parquet",
    paths: origins.map(({ path }) => path),
    totalBytes: origins.reduce((total, { bytes }) => total + bytes, 0),
    badRows: { policy: "fail" },
    origins,
    ...settings,
  };
});
