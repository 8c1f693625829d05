import { DriverError } from "../../../errors/driver-error.ts";
import type { ScanColumn } from "../../file-scan.ts";
import { chooseType, exactnessNote, type TextStats } from "../../text/infer-type.ts";
import { TypeContradiction } from "../../type-contradiction.ts";
import type { Connection } from "../connection.ts";
import { type Candidates, exactStats, type Run } from "./column-stats.ts";
import { typeMismatch } from "./csv-places.ts";
import { type KnownScan, readCsvSql, textFormats, textName, typedColumns, valueName } from "./csv-scan.ts";

/**
 * Finds out why a pass over the files was broken off. Two more scans tell the truth of all columns at once, so that a
 * load starts over only once: which columns hold a value that does not fit, then everything about those columns.
 */
export async function diagnose(
  connection: Connection,
  scan: KnownScan,
  { signal }: { signal: AbortSignal },
  known: readonly Broken[] = [],
): Promise<DriverError> {
  const skip = scan.badRows.policy === "skip";
  const from = (name: string) =>
    readCsvSql(scan, skip ? { rejects: { errors: `${name}_errors`, scans: `${name}_scans`, limit: 1 } } : {});
  const mismatch = skip ? undefined : await typeMismatch(connection, scan, signal);
  if (mismatch) return mismatch;
  const run: Run = async (sql) =>
    (await connection.run(sql, [], { signal })).getRows() as Promise<readonly (readonly unknown[])[]>;
  const broken = known.length > 0 ? known : await contradicted(run, scan, from("contradictions"));
  if (broken.length === 0)
    return new DriverError("INTERNAL", "a load was broken off by a value that nothing is wrong with");
  const stats: TextStats[] = [];
  for (let start = 0; start < broken.length; start += COLUMNS_AT_ONCE) {
    const columns = broken.slice(start, start + COLUMNS_AT_ONCE);
    const texts = columns.map(({ index, column }) => ({
      text: textName(index),
      candidates: candidatesFor(column.type),
    }));
    stats.push(...(await exactStats(run, texts, textFormats(scan).decimalSeparator, from(`statistics_${start}`))));
  }
  return contradiction(scan, broken, stats);
}

/** Bounds the memory of one statement; 2,000 columns at once would take more than 1 GB. */
const COLUMNS_AT_ONCE = 50;

/** An inferred column with a value that does not fit. */
export interface Broken {
  readonly index: number;
  readonly column: ScanColumn;
  readonly example: string;
}

async function contradicted(run: Run, scan: KnownScan, from: string): Promise<readonly Broken[]> {
  const inferred = typedColumns(scan, true).filter(({ column }) => column.origin === "inferred");
  const inner = inferred.map(({ value, index }) => `${textName(index)}, ${value} AS ${valueName(index)}`).join(", ");
  const examples = inferred.map(({ violation, index }) => `any_value(${textName(index)}) FILTER (WHERE ${violation})`);
  const [row] = await run(`SELECT ${examples.join(", ")} FROM (SELECT ${inner} FROM ${from})`);
  return inferred.flatMap(({ column, index }, at) => {
    const example = row?.[at];
    return typeof example === "string" ? [{ index, column, example }] : [];
  });
}

/** The types that may still hold a column, given what its first rows looked like: none of the others can. */
function candidatesFor(type: string): Candidates {
  if (type === "BIGINT" || type === "DOUBLE" || type.startsWith("DECIMAL")) return "numbers";
  if (type === "DATE") return ["timestamp", "timestampNs"];
  return type === "TIMESTAMP" ? ["timestampNs"] : [];
}

function contradiction(scan: KnownScan, broken: readonly Broken[], stats: readonly TextStats[]): TypeContradiction {
  const changes = new Map<number, { type: string; warning: string }>();
  for (const [at, { index, column, example }] of broken.entries()) {
    const found = stats[at];
    const type = found === undefined ? "VARCHAR" : chooseType(found);
    // What the statistics allow and the check refuses again would go round in circles.
    const wider = type === column.type ? "VARCHAR" : type;
    const note = found && exactnessNote(found, wider);
    const why = note ?? `it is read as ${wider}`;
    changes.set(index, {
      type: wider,
      warning: `column ${JSON.stringify(column.name)}: looked like ${column.type}, but holds ${JSON.stringify(example.slice(0, 100))}; ${why}`,
    });
  }
  const columns = scan.columns.map((column, index) => ({ ...column, type: changes.get(index)?.type ?? column.type }));
  return new TypeContradiction(
    { ...scan, columns },
    [...changes.values()].map(({ warning }) => warning),
  );
}
