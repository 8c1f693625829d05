import {
  call,
  column,
  type Expression,
  expressionOf,
  type FunctionName,
  functions,
  literal,
  when,
} from "../../../node/src/index.ts";
import { UsageError } from "../usage-error.ts";
import { type Lexis, type Token, TokenReader } from "./lexer.ts";
import { Scanner } from "./scanner.ts";
import { bySnakeCase, suggestion } from "./suggest.ts";
import { isExactNumber } from "./value.ts";

const lexis: Lexis = {
  // A number, or a name of letters of any script, digits, `_`, `$`, dots and pictures.
  word: /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|[^\s()'",<>=!~+\-*/%|]+/y,
  symbols: ["<=", ">=", "<>", "!=", "==", "=", "<", ">", "(", ")", ",", "+", "-", "*", "/", "%"],
};

const functionNames = bySnakeCase(functions);

/** A calculated column or measure: `NAME=EXPRESSION`. */
export function parseCalculation(text: string): { readonly name: string; readonly expression: Expression } {
  const scanner = new Scanner(text);
  const name = scanner.name(/\s*=/, "the name");
  const equals = /^\s*=/.exec(scanner.peek());
  if (equals === null) throw new UsageError(`"${text}": write NAME=EXPRESSION`);
  scanner.take(equals[0]);
  return { name, expression: parseExpression(scanner.rest()) };
}

/**
 * An expression: numbers, `'text'`, columns (bare or in double quotes), `+ - * / %`, comparisons, `and or not`,
 * `is null`, the contract's functions in snake_case, `case when A then B else C end`, `date '2024-01-01'`.
 */
export function parseExpression(text: string): Expression {
  const reader = new TokenReader(text, lexis);
  const expression = disjunction(reader);
  reader.expectEnd();
  return expression;
}

function disjunction(reader: TokenReader): Expression {
  let left = conjunction(reader);
  while (reader.takeWord("or")) left = call("or", left, conjunction(reader));
  return left;
}

function conjunction(reader: TokenReader): Expression {
  let left = negation(reader);
  while (reader.takeWord("and")) left = call("and", left, negation(reader));
  return left;
}

function negation(reader: TokenReader): Expression {
  return reader.takeWord("not") ? call("not", negation(reader)) : comparison(reader);
}

const comparisons: Readonly<Record<string, FunctionName>> = {
  "=": "equal",
  "==": "equal",
  "!=": "notEqual",
  "<>": "notEqual",
  "<": "less",
  "<=": "lessOrEqual",
  ">": "greater",
  ">=": "greaterOrEqual",
};

function comparison(reader: TokenReader): Expression {
  const left = sum(reader);
  const name = reader.next.kind === "symbol" ? comparisons[reader.next.text] : undefined;
  if (name !== undefined) {
    reader.read();
    return call(name, left, sum(reader));
  }
  if (!reader.takeWord("is")) return left;
  const negated = reader.takeWord("not");
  reader.expectWord("null");
  return negated ? call("not", left.isNull()) : left.isNull();
}

function sum(reader: TokenReader): Expression {
  let left = product(reader);
  while (reader.isSymbol("+", "-")) {
    const name = reader.read().text === "+" ? "add" : "subtract";
    left = call(name, left, product(reader));
  }
  return left;
}

const products: Readonly<Record<string, FunctionName>> = { "*": "multiply", "/": "divide", "%": "modulo" };

function product(reader: TokenReader): Expression {
  let left = unary(reader);
  while (reader.isSymbol("*", "/", "%")) {
    const name = products[reader.read().text] ?? "multiply";
    left = call(name, left, unary(reader));
  }
  return left;
}

function unary(reader: TokenReader): Expression {
  if (!reader.takeSymbol("-")) return primary(reader);
  // A number keeps its sign: -9223372036854775808 is a BIGINT, 9223372036854775808 is not.
  if (isNumber(reader.next)) return number(`-${reader.read().text}`);
  return call("negate", unary(reader));
}

function primary(reader: TokenReader): Expression {
  if (reader.takeSymbol("(")) {
    const inner = disjunction(reader);
    reader.expectSymbol(")");
    return inner;
  }
  const { kind } = reader.next;
  if (kind === "symbol" || kind === "end") throw reader.expected("an expression");
  const token = reader.read();
  if (token.kind === "single") return literal(token.text);
  if (token.kind === "double") return column(token.text);
  if (isNumber(token)) return number(token.text);
  return named(reader, token);
}

const typedLiterals: Readonly<Record<string, string>> = {
  date: "DATE",
  time: "TIME",
  timestamp: "TIMESTAMP",
  timestamptz: "TIMESTAMP WITH TIME ZONE",
};

function named(reader: TokenReader, token: Token): Expression {
  const word = token.text.toLowerCase();
  const type = typedLiterals[word];
  if (type !== undefined && reader.next.kind === "single") return literal(reader.read().text, type);
  if (reader.takeSymbol("(")) return functionCall(reader, token.text);
  if (word === "case" && reader.isWord("when")) return caseOf(reader);
  if (word === "null") return literal(null);
  if (word === "true" || word === "false") return literal(word === "true");
  return column(token.text);
}

function functionCall(reader: TokenReader, word: string): Expression {
  const name = functionNames.get(word.toLowerCase());
  if (name === undefined)
    throw new UsageError(
      `"${reader.source}": unknown function "${word}"${suggestion(word, [...functionNames.keys()])}`,
    );
  const operands: Expression[] = [];
  if (!reader.takeSymbol(")")) {
    do operands.push(disjunction(reader));
    while (reader.takeSymbol(","));
    reader.expectSymbol(")");
  }
  return call(name, ...operands);
}

function caseOf(reader: TokenReader): Expression {
  let builder = branch(reader, undefined);
  while (reader.isWord("when")) builder = branch(reader, builder);
  const otherwise = reader.takeWord("else") ? disjunction(reader) : undefined;
  reader.expectWord("end");
  return otherwise === undefined ? builder.end() : builder.otherwise(otherwise);
}

function branch(reader: TokenReader, before: ReturnType<typeof when> | undefined): ReturnType<typeof when> {
  reader.expectWord("when");
  const condition = disjunction(reader);
  reader.expectWord("then");
  const value = expressionOf(disjunction(reader));
  return before === undefined ? when(condition, value) : before.when(condition, value);
}

function isNumber(token: Token): boolean {
  return token.kind === "word" && /^\d/.test(token.text) && !Number.isNaN(Number(token.text));
}

/** No digit is lost: what a double can't hold becomes BIGINT, HUGEINT or DECIMAL. */
function number(text: string): Expression {
  if (isExactNumber(text) || /[eE]/.test(text)) return literal(Number(text));
  if (!text.includes(".")) return literal(BigInt(text));
  const digits = text.replace(/[-.]/g, "").length;
  const scale = text.length - text.indexOf(".") - 1;
  return literal(text, `DECIMAL(${digits},${scale})`);
}
