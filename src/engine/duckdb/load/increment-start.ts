import type { IncrementRule, StoredRows } from "../../increment.ts";
import type { Connection } from "../connection.ts";
import { quoteIdentifier } from "../quoting.ts";
import { segmentsRelation } from "../version-relation.ts";

/** As `IncrementEngine.startOfIncrement`. */
export async function startOfIncrement(
  connection: Connection,
  { watermark, overlap }: IncrementRule,
  { columns, paths }: StoredRows,
  options: { readonly signal: AbortSignal },
): Promise<string | undefined> {
  const column = columns.find(({ name }) => name === watermark);
  if (column === undefined || paths.length === 0) return undefined;
  const name = quoteIdentifier(watermark);
  const { type, kind } = column;
  const isExact = kind === "integer" || kind === "decimal";
  // Infinities and NaN are beyond every window, and so in each.
  const finite = isExact ? "" : ` FILTER (WHERE isfinite(${name}))`;
  const ms = overlap !== undefined && "ms" in overlap ? overlap.ms : 0;
  const amount = overlap !== undefined && "amount" in overlap ? overlap.amount : 0;
  const start = startSql("greatest", { type, kind }, { micros: Math.ceil(ms * 1_000), amount });
  const seen = `SELECT max(${name})${finite} AS greatest FROM ${segmentsRelation(paths)}`;
  const sql = `SELECT CAST(TRY(${start}) AS VARCHAR) FROM (${seen})`;
  const result = await connection.run(sql, [], options);
  const value = (await result.getRows())[0]?.[0];
  return value === null || value === undefined ? undefined : String(value);
}

function startSql(
  greatest: string,
  { type, kind }: { readonly type: string; readonly kind: string },
  { micros, amount }: { readonly micros: number; readonly amount: number },
): string {
  const earlier = (time: string, by: number) => `${time} - to_microseconds(${by})`;
  if (kind === "date") return `CAST(date_trunc('day', ${earlier(`CAST(${greatest} AS TIMESTAMP)`, micros)}) AS DATE)`;
  // Its nanoseconds are rounded, upwards at times.
  if (type === "TIMESTAMP_NS") return earlier(`CAST(${greatest} AS TIMESTAMP)`, micros + 1);
  if (kind === "timestamp" || kind === "timestampTz") return earlier(greatest, micros);
  if (amount === 0) return greatest;
  if (kind === "float") return `CAST(${greatest} AS DOUBLE) - CAST('${amount}' AS DOUBLE)`;
  const scale = Number(/,\s*(\d+)\)/.exec(type)?.[1] ?? 0);
  const start = `CAST(${greatest} AS DECIMAL(38,${scale})) - CAST('${decimalText(amount, scale)}' AS DECIMAL(38,${scale}))`;
  // A source may refuse to compare a column with what it can't hold.
  return kind === "integer" ? `CAST(${start} AS ${type})` : start;
}

/** A number with so many decimals, rounded up: a window that is a little larger loses nothing. */
function decimalText(amount: number, scale: number): string {
  const text = amount.toFixed(Math.min(scale, 100));
  if (Number(text) >= amount) return text;
  const units = BigInt(text.replace(".", "")) + 1n;
  const digits = units.toString().padStart(scale + 1, "0");
  return scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
