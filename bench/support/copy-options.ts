/** The settings that Drover writes segments with, for the bare engine's COPY. */
export const copyOptions =
  "FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2, ROW_GROUP_SIZE 122880, ROW_GROUPS_PER_FILE 8, PER_THREAD_OUTPUT false";

/** The settings of Drover's loading engine that make a COPY faster, for the bare engine as well. */
export const loaderSettings = { preserve_insertion_order: "false" };
