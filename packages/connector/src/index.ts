export type {
  Connector,
  Partition,
  PlanOptions,
  SharedSnapshot,
  SourcePlan,
  SourceSession,
  SourceTable,
  SourceTest,
} from "./connector.ts";
export { CONNECTOR_REASONS, ConnectorError, type ConnectorReason, type ErrorMetadata } from "./connector-error.ts";
export type {
  ColumnBatch,
  CsvLayout,
  FileScan,
  JsonLayout,
  PartitionContent,
  SourceColumn,
  SourceValue,
} from "./content.ts";
export { INTERFACE_VERSION } from "./interface-version.ts";
export type { KindDescriptor } from "./kind.ts";
export { invalidOption, type OptionValue, OptionValues, parseOptions } from "./option-values.ts";
export type { OptionEntry, OptionSchema } from "./options.ts";
export type { FilterValue, RowFilter } from "./row-filter.ts";
export type { Server, Source, SourceContext, SourceFile, SourceProgress, StatementEnding } from "./source.ts";
