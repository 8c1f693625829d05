import { Measure, type MeasureOpName, measureOps } from "../../../node/src/index.ts";
import { UsageError } from "../usage-error.ts";
import { parseCondition } from "./condition.ts";
import { Scanner } from "./scanner.ts";
import { bySnakeCase, snakeCase, suggestion } from "./suggest.ts";

const ops = bySnakeCase(measureOps);

/** A measure and its name in the result. */
export interface NamedMeasure {
  readonly measure: Measure;
  readonly name: string;
}

/**
 * `[ALIAS=]OP[:COLUMN][ where CONDITION]`, OP being `count`, `sum`, … or `quantile(Q)`. An alias that holds `=` or `:`, and
 * a column that holds ` where `, stand in double quotes.
 */
export function parseMeasure(text: string): NamedMeasure {
  const scanner = new Scanner(text);
  const first = scanner.name(opStop, "the measure");
  const alias = scanner.take("=") ? first : undefined;
  const op = opOf(alias === undefined ? first : scanner.name(opStop, "the measure"), text);
  const quantile = quantileOf(scanner, op, text);
  const column = scanner.take(":") ? scanner.name(whereStop, "the column") : undefined;
  if (column === undefined && op !== "count") throw new UsageError(`"${text}": ${snakeCase(op)} needs a column`);
  const filter = conditionOf(scanner);
  const name = alias ?? (column === undefined ? snakeCase(op) : `${snakeCase(op)}_${column}`);
  return { measure: new Measure({ op, column, quantile, alias, filter }), name };
}

const opStop = /[=:(\s]/;
const whereStop = /\s+where\s/i;

function opOf(word: string, text: string): MeasureOpName {
  const op = ops.get(word.toLowerCase());
  if (op === undefined)
    throw new UsageError(`"${text}": unknown measure "${word}"${suggestion(word, [...ops.keys()])}`);
  return op;
}

function quantileOf(scanner: Scanner, op: MeasureOpName, text: string): number | undefined {
  const bracket = scanner.take("(");
  if (op !== "quantile") {
    if (bracket) throw new UsageError(`"${text}": ${snakeCase(op)} takes nothing in brackets`);
    return undefined;
  }
  if (!bracket) throw new UsageError(`"${text}": write the quantile in brackets, for example quantile(0.9)`);
  const argument = scanner.name(/\)/, "the quantile");
  const q = Number(argument);
  if (!scanner.take(")")) throw new UsageError(`"${text}": the bracket does not end`);
  if (argument.trim() === "" || !(q >= 0 && q <= 1)) throw new UsageError(`"${text}": a quantile lies between 0 and 1`);
  return q;
}

function conditionOf(scanner: Scanner) {
  const clause = /^\s+where\s+/i.exec(scanner.peek());
  if (clause === null) {
    scanner.end();
    return undefined;
  }
  scanner.take(clause[0]);
  return parseCondition(scanner.rest());
}
