import { type Command, Option } from "commander";
import type { QuerySpec, TotalsName } from "../../node/src/index.ts";
import { addFreshnessOptions, type FreshnessFlags, freshnessOf } from "./freshness-options.ts";
import { parseConditions } from "./grammar/condition.ts";
import { parseDimension } from "./grammar/dimension.ts";
import { parseCalculation } from "./grammar/expression.ts";
import { type NamedMeasure, parseMeasure } from "./grammar/measure.ts";
import { parseOrder } from "./grammar/order.ts";
import { counted, repeatable } from "./options.ts";
import { UsageError } from "./usage-error.ts";

/** What the options of an aggregate query say. */
export interface QueryFlags extends FreshnessFlags {
  readonly dimension: readonly string[];
  readonly measure: readonly string[];
  readonly where: readonly string[];
  readonly having: readonly string[];
  readonly order: readonly string[];
  readonly let: readonly string[];
  readonly compute: readonly string[];
  readonly limit?: number;
  readonly offset?: number;
  readonly totals?: TotalsName | true;
  readonly top?: number;
  readonly topBy?: string;
  readonly topDimension?: string;
  readonly bottom?: boolean;
  readonly others?: boolean;
  readonly atVersion?: number;
}

/** Adds the options of an aggregate query to a command. */
export function addQueryOptions(command: Command): Command {
  return addFreshnessOptions(command)
    .addOption(repeatable("-d, --dimension <[ALIAS=]COL[:GRAIN]>", "group by a column; may be repeated"))
    .addOption(repeatable("-m, --measure <[ALIAS=]OP[:COL]>", "compute for each group; may be repeated"))
    .addOption(repeatable("-w, --where <CONDITION>", "only rows that pass; several must all hold"))
    .addOption(repeatable("--having <CONDITION>", "only groups that pass"))
    .addOption(repeatable("--order <NAME[:desc]>", "order by a dimension or measure; may be repeated"))
    .addOption(repeatable("--let <NAME=EXPRESSION>", "a column computed for each row"))
    .addOption(repeatable("--compute <NAME=EXPRESSION>", "a measure computed from dimensions and measures"))
    .addOption(counted("--limit <N>", "at most so many groups"))
    .addOption(counted("--offset <N>", "skip so many groups"))
    .addOption(new Option("--totals [KIND]", "add total rows").choices(["grand", "subtotals"]).preset("grand"))
    .addOption(counted("--top <N>", "only the N greatest values of a dimension", 1))
    .option("--top-by <NAME>", "the measure that ranks them (default: the first)")
    .option("--top-dimension <NAME>", "the dimension (default: the first)")
    .option("--bottom", "the least instead of the greatest")
    .option("--others", "gather the rest into one row")
    .addOption(counted("--at-version <V>", "read this version of the dataset", 1));
}

/** A query with the names of its measures in the result. */
export interface ParsedQuery {
  readonly spec: QuerySpec;
  readonly measureNames: readonly string[];
}

/** Reads the options. Without any dimension or measure it counts rows. */
export function parseQuery(flags: QueryFlags): ParsedQuery {
  const counts = flags.dimension.length + flags.measure.length === 0;
  const measures = (counts ? ["count"] : flags.measure).map(parseMeasure);
  const calculatedMeasures = flags.compute.map(parseCalculation);
  const measureNames = [...measures, ...calculatedMeasures].map(({ name }) => name);
  const spec: QuerySpec = {
    dimensions: flags.dimension.map(parseDimension),
    measures: measures.map(({ measure }: NamedMeasure) => measure),
    calculatedColumns: flags.let.map(parseCalculation),
    calculatedMeasures,
    where: parseConditions(flags.where),
    having: parseConditions(flags.having),
    order: flags.order.map(parseOrder),
    limit: flags.limit,
    offset: flags.offset,
    totals: flags.totals === true ? "grand" : flags.totals,
    top: topOf(flags, measureNames),
    version: flags.atVersion,
    ...freshnessOf(flags),
  };
  return { spec, measureNames };
}

function topOf(flags: QueryFlags, measureNames: readonly string[]): QuerySpec["top"] {
  const { top, topBy, topDimension, bottom, others } = flags;
  if (top === undefined) {
    if (topBy !== undefined || topDimension !== undefined || bottom || others)
      throw new UsageError("--top-by, --top-dimension, --bottom and --others go with --top");
    return undefined;
  }
  const by = topBy ?? measureNames[0];
  if (by === undefined) throw new UsageError("--top needs a measure to rank by: add one with -m");
  return { count: top, by, dimension: topDimension, ascending: bottom, others };
}

/** Explains the short forms below a command's help. */
export const grammarHelp = `
Short forms:
  -d date:day  -d date:week(sunday)@Europe/Berlin  -d hour=date:hour_of_day  -d delay:bin(10)
  -m count  -m avg:delay  -m p90=quantile(0.9):delay  -m 'late=count where delay > 15'
  -w 'origin = ATL'  -w 'delay between 0 and 15'  -w 'origin in (ATL, JFK) or delay is null'
     = != < <= > >=   ~ contains (~* whatever the case)   starts_with ends_with glob (i… whatever the case)
  --let 'speed=distance / (minutes / 60)'  --compute "share=round(late / count * 100, 1)"
  Names that hold one of : = or spaces stand in "double quotes", text values in 'single' ones where they need to.
`;
