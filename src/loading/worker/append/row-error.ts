import { DriverError } from "../../../errors/driver-error.ts";

const MAX_VALUE = 200;

/** A row that is no JSON of the expected form. */
export function malformedRow(row: number, complaint: string): DriverError {
  return new DriverError("MALFORMED_ROWS", `row ${row}: ${complaint}`, { metadata: { row: String(row) } });
}

export function unknownColumn(row: number, column: string): DriverError {
  return new DriverError("UNKNOWN_COLUMN", `row ${row}: the dataset has no column ${JSON.stringify(column)}`, {
    metadata: { row: String(row), column },
  });
}

/** A value that its column can't hold as it is. */
export function misfit(
  row: number,
  column: { readonly name: string; readonly type: string },
  value: string,
): DriverError {
  const text = value.slice(0, MAX_VALUE);
  return new DriverError(
    "LOAD_TYPE_MISMATCH",
    `row ${row}, column ${JSON.stringify(column.name)}: ${JSON.stringify(text)} is no ${column.type}`,
    { metadata: { row: String(row), column: column.name, value: text, type: column.type } },
  );
}
