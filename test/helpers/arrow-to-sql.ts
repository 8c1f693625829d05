import { type Data, DataType } from "apache-arrow";

/**
 * The value of a row of an Arrow column as an SQL expression, from the column's raw memory: what a reader in any language
 * sees. `undefined` is NULL.
 */
export function arrowToSql(data: Data, row: number): string | undefined {
  if (!DataType.isUnion(data.type) && !data.getValid(row)) return undefined;
  return scalar(data, row) ?? nested(data, row);
}

function scalar({ type, values, offset, stride, valueOffsets }: Data, row: number): string | undefined {
  if (DataType.isBool(type)) return String(((values[(row + offset) >> 3] >> ((row + offset) & 7)) & 1) === 1);
  if (DataType.isInt(type)) return `'${values[row]}'::${type.isSigned ? "BIGINT" : "UBIGINT"}`;
  if (DataType.isFloat(type)) return `'${values[row]}'::${type.precision === 1 ? "FLOAT" : "DOUBLE"}`;
  if (DataType.isDecimal(type)) return decimal(type.scale, values.subarray(row * stride, (row + 1) * stride));
  if (DataType.isDate(type)) return `(DATE '1970-01-01' + (${values[row]})::INTEGER)`;
  if (DataType.isTime(type)) return time(type.unit, values[row]);
  if (DataType.isTimestamp(type)) return timestamp(type.unit, type.timezone, values[row]);
  if (DataType.isInterval(type)) return interval(values.subarray(row * 4, row * 4 + 4));
  if (!DataType.isUtf8(type) && !DataType.isBinary(type)) return undefined;
  const bytes = Buffer.from(values.subarray(valueOffsets[row], valueOffsets[row + 1]));
  if (DataType.isBinary(type)) return `unhex('${bytes.toString("hex")}')`;
  // A NUL would end the statement for the binding.
  return `'${bytes.toString("utf8").replaceAll("'", "''").replaceAll("\0", "' || chr(0) || '")}'`;
}

function nested(data: Data, row: number): string | undefined {
  const { type, valueOffsets, children } = data;
  if (DataType.isList(type)) return `[${items(children[0], valueOffsets[row] ?? 0, valueOffsets[row + 1] ?? 0)}]`;
  if (DataType.isFixedSizeList(type)) return `[${items(children[0], row * type.listSize, (row + 1) * type.listSize)}]`;
  if (DataType.isMap(type)) {
    const [keys, values] = (children[0] as Data).children;
    const from = valueOffsets[row] ?? 0;
    const to = valueOffsets[row + 1] ?? 0;
    return `MAP([${items(keys, from, to)}], [${items(values, from, to)}])`;
  }
  if (DataType.isStruct(type)) return struct(type.children, children, row);
  if (DataType.isUnion(type)) {
    const tag = data.typeIds[row] ?? 0;
    const value = arrowToSql(children[tag] as Data, row);
    return value === undefined ? undefined : `union_value("${type.children[tag]?.name}" := ${value})`;
  }
  throw new Error(`no SQL for Arrow's ${type}`);
}

function struct(fields: readonly { readonly name: string }[], children: readonly Data[], row: number): string {
  const values = children.map((child) => arrowToSql(child, row) ?? "NULL");
  if (fields.every(({ name }) => /^\d+$/.test(name))) return `row(${values.join(", ")})`;
  return `{${values.map((value, index) => `'${fields[index]?.name}': ${value}`).join(", ")}}`;
}

function items(child: Data<DataType> | undefined, from: number, to: number): string {
  if (!child) throw new Error("a list without a child");
  return Array.from({ length: to - from }, (_, index) => arrowToSql(child, from + index) ?? "NULL").join(", ");
}

function decimal(scale: number, words: Uint32Array): string {
  let value = 0n;
  for (const word of [...words].reverse()) value = (value << 32n) | BigInt(word);
  value = BigInt.asIntN(words.length * 32, value);
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, "0");
  const split = digits.length - scale;
  const text = scale === 0 ? digits : `${digits.slice(0, split)}.${digits.slice(split)}`;
  const type = words.length === 8 ? (value < 0n ? "HUGEINT" : "UHUGEINT") : `DECIMAL(38, ${scale})`;
  return `'${value < 0n ? "-" : ""}${text}'::${type}`;
}

const TIMESTAMP_UNITS = [
  "make_timestamp(1000000 * $::BIGINT)::TIMESTAMP_S",
  "make_timestamp_ms($::BIGINT)::TIMESTAMP_MS",
];

function time(unit: number, value: bigint): string {
  if (unit !== 3) return `(TIME '00:00' + to_microseconds(${value}::BIGINT))`;
  const clock = new Date(Number(value / 1_000_000n)).toISOString().slice(11, 19);
  return `TIME_NS '${clock}.${String(value % 1_000_000_000n).padStart(9, "0")}'`;
}

function timestamp(unit: number, timezone: string | null | undefined, value: bigint): string {
  if (unit === 3) return `make_timestamp_ns(${value}::BIGINT)`;
  const pattern = TIMESTAMP_UNITS[unit];
  if (pattern) return pattern.replace("$", String(value));
  return timezone ? `make_timestamptz(${value}::BIGINT)` : `make_timestamp(${value}::BIGINT)`;
}

function interval(words: Int32Array): string {
  const [months, days, low, high] = words as unknown as [number, number, number, number];
  const nanos = (BigInt(high) << 32n) | BigInt(low >>> 0);
  return `(to_months(${months}) + to_days(${days}) + to_microseconds(${nanos / 1000n}::BIGINT))`;
}
