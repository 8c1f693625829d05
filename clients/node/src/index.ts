export type { HiddenColumns, RowRule, Scope } from "./access/scope.ts";
export type * from "./access/tokens.ts";
export {
  type AddressFile,
  type AddressFileLocation,
  addressFilePath,
  defaultDataDirectory,
  readAddressFile,
} from "./address-file.ts";
export type { AppendOptions, AppendProgress, AppendStatus } from "./append/append.ts";
export type { AppendSource } from "./append/batches.ts";
export type { AppendRow, AppendValue } from "./append/row-text.ts";
export { type DatasetListOptions, type DrainOptions, Drover, type StopOptions } from "./client.ts";
export type { Statistics, StatisticsOptions, ValueCount, ValuesOptions } from "./column-content.ts";
export { type ConnectOptions, connect, connectByAddressFile } from "./connect.ts";
export { ensureDriver } from "./ensure/ensure-driver.ts";
export { endOf, type ListDriversOptions, type ListedDriver, listDrivers } from "./ensure/list-drivers.ts";
export type * from "./ensure/options.ts";
export {
  compareDriver,
  type DriverFit,
  type NamedSet,
  type RunningDriver,
  type WantedDriver,
} from "./ensure/profile-fit.ts";
export { type ClientReason, DroverError, type DroverErrorInit, type FieldViolation } from "./errors.ts";
export {
  type DatasetExportOptions,
  Export,
  type ExportFormat,
  type ExportOptions,
  type ExportSummary,
} from "./export.ts";
export type * from "./library-sets/library-sets.ts";
export type * from "./library-sets/model.ts";
export { Load, type LoadCompletedEvent, type LoadEvent, type LoadOptions, type LoadResult, resultOf } from "./load.ts";
export type * from "./model.ts";
export type { CancelAnswer, CancelOptions, OperationListOptions } from "./operations.ts";
export { Preview, type PreviewOptions } from "./preview.ts";
export { Dimension, dim, type WeekOptions, type ZoneOptions } from "./query/dimension.ts";
export type * from "./query/events.ts";
export {
  CaseBuilder,
  call,
  column,
  Expression,
  expressionOf,
  literal,
  type Operand,
  when,
} from "./query/expression.ts";
export { all, any, ColumnCondition, Filter, not, type RangeOptions, type TextOptions, where } from "./query/filter.ts";
export type { FreshnessOptions } from "./query/freshness.ts";
export {
  avg,
  count,
  countDistinct,
  Measure,
  max,
  median,
  min,
  quantile,
  stddev,
  sum,
  variance,
} from "./query/measure.ts";
export {
  type FunctionName,
  functions,
  type MeasureOpName,
  measureOps,
  type TimePartName,
  type TimeUnitName,
  type TotalsName,
  timeParts,
  timeUnits,
  type WeekdayName,
  weekdays,
} from "./query/names.ts";
export { Query, type QueryOptions, type WaitOptions } from "./query/query.ts";
export type { Calculated, OrderKey, QuerySpec, SqlSpec, Top } from "./query/spec.ts";
export type { DueRefresh, Increment, RefreshOptions, RefreshStatus, Schedule } from "./refresh.ts";
export { RowPage, RowReader, type RowsOptions } from "./row-reader.ts";
export { type Row, Rows } from "./rows.ts";
export type * from "./sources/connections.ts";
export type * from "./sources/model.ts";
export type * from "./sources/sources.ts";
export type { ConnectionOptions, TlsOptions } from "./transport/open-client.ts";
export type { CallOptions } from "./transport/transport.ts";
export type { UploadContent } from "./upload/content.ts";
export type { UploadOptions, UploadProgress } from "./upload/upload.ts";
export type { IntegerMode, JsonObject, JsonValue, ResultValue, Scalar } from "./values.ts";
