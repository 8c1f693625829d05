import { all, any, type ColumnCondition, type Filter, not, type Scalar, where } from "../../../node/src/index.ts";
import { type Lexis, TokenReader } from "./lexer.ts";
import { suggestion } from "./suggest.ts";

const lexis: Lexis = {
  word: /[^\s()'",<>=!~]+/y,
  symbols: ["<=", ">=", "<>", "!=", "==", "!~*", "!~", "~*", "=", "<", ">", "~", "(", ")", ","],
};

/**
 * A condition: `COLUMN OP VALUE`, joined by `and`, `or`, `not` and brackets.
 *
 * - `=` `!=` `<` `<=` `>` `>=`
 * - `~` contains, `~*` whatever the case, `!~` and `!~*` not
 * - `starts_with`, `ends_with`, `glob`, and with `i` in front whatever the case
 * - `in (a, b)`, `between A and B`, `is null`, each with `not`
 *
 * Names and values stand bare or in quotes. A bare value may hold spaces: `origin = New York`. All values travel as text:
 * the driver reads them as the column's type, so that no digit is lost and `zip = 01234` finds its text.
 */
export function parseCondition(text: string): Filter {
  const reader = new TokenReader(text, lexis);
  const filter = disjunction(reader);
  reader.expectEnd();
  return filter;
}

/** Several conditions, all of which must hold; undefined for none. */
export function parseConditions(texts: readonly string[]): Filter | undefined {
  const filters = texts.map(parseCondition);
  return filters.length > 1 ? all(...filters) : filters[0];
}

function disjunction(reader: TokenReader): Filter {
  const filters = [conjunction(reader)];
  while (reader.takeWord("or")) filters.push(conjunction(reader));
  return joined(filters, any);
}

function conjunction(reader: TokenReader): Filter {
  const filters = [negation(reader)];
  while (reader.takeWord("and")) filters.push(negation(reader));
  return joined(filters, all);
}

function joined(filters: readonly Filter[], join: (...filters: readonly Filter[]) => Filter): Filter {
  const [first] = filters;
  return filters.length === 1 && first !== undefined ? first : join(...filters);
}

function negation(reader: TokenReader): Filter {
  if (reader.takeWord("not")) return not(negation(reader));
  if (!reader.takeSymbol("(")) return predicate(reader);
  const filter = disjunction(reader);
  reader.expectSymbol(")");
  return filter;
}

function predicate(reader: TokenReader): Filter {
  const condition = where(column(reader));
  if (reader.takeWord("is")) return nullness(reader, condition);
  if (reader.takeWord("not")) return not(wordPredicate(reader, condition));
  return reader.next.kind === "symbol" ? comparison(reader, condition) : wordPredicate(reader, condition);
}

function column(reader: TokenReader): string {
  if (reader.next.kind === "symbol" || reader.next.kind === "end") throw reader.expected("a column");
  return reader.read().text;
}

function nullness(reader: TokenReader, condition: ColumnCondition): Filter {
  const negated = reader.takeWord("not");
  reader.expectWord("null");
  return negated ? condition.isNotNull() : condition.isNull();
}

function comparison(reader: TokenReader, condition: ColumnCondition): Filter {
  const op = reader.read().text;
  switch (op) {
    case "~":
      return condition.contains(textValue(reader));
    case "~*":
      return condition.contains(textValue(reader), { ignoreCase: true });
    case "!~":
      return not(condition.contains(textValue(reader)));
    case "!~*":
      return not(condition.contains(textValue(reader), { ignoreCase: true }));
  }
  const compare = comparisons[op];
  if (compare === undefined) throw reader.expected(`an operator before "${op}"`);
  return compare(condition, comparedValue(reader));
}

const comparisons: Readonly<Record<string, (condition: ColumnCondition, value: Scalar) => Filter>> = {
  "=": (condition, value) => condition.equals(value),
  "==": (condition, value) => condition.equals(value),
  "!=": (condition, value) => condition.notEquals(value),
  "<>": (condition, value) => condition.notEquals(value),
  "<": (condition, value) => condition.lessThan(value),
  "<=": (condition, value) => condition.atMost(value),
  ">": (condition, value) => condition.greaterThan(value),
  ">=": (condition, value) => condition.atLeast(value),
};

const textOps: Readonly<Record<string, (condition: ColumnCondition, text: string, ignoreCase: boolean) => Filter>> = {
  contains: (condition, text, ignoreCase) => condition.contains(text, { ignoreCase }),
  starts_with: (condition, text, ignoreCase) => condition.startsWith(text, { ignoreCase }),
  ends_with: (condition, text, ignoreCase) => condition.endsWith(text, { ignoreCase }),
  glob: (condition, text, ignoreCase) => condition.glob(text, { ignoreCase }),
};

function wordPredicate(reader: TokenReader, condition: ColumnCondition): Filter {
  if (reader.takeWord("in")) return condition.in(list(reader));
  if (reader.takeWord("between")) return range(reader, condition);
  const word = reader.next.kind === "word" ? reader.next.text.toLowerCase() : "";
  const sensitive = textOps[word];
  const insensitive = word.startsWith("i") ? textOps[word.slice(1)] : undefined;
  const op = sensitive ?? insensitive;
  if (op === undefined) throw unknownOperator(reader, word);
  reader.read();
  return op(condition, textValue(reader), sensitive === undefined);
}

function unknownOperator(reader: TokenReader, word: string) {
  const known = ["in", "is", "between", ...Object.keys(textOps), "icontains", "istarts_with", "iends_with", "iglob"];
  const hint = word === "" ? "" : suggestion(word, [...known, "="]);
  const help = /^i?like$/.test(word)
    ? "`name ~ York` finds a part of a text (~* whatever the case), `name glob 'New*'` a pattern."
    : "Put a column name or a value that holds a keyword in quotes.";
  return reader.expected(`an operator${hint}`, help);
}

function list(reader: TokenReader): readonly Scalar[] {
  reader.expectSymbol("(");
  const values: Scalar[] = [];
  if (reader.takeSymbol(")")) return values;
  do values.push(value(reader));
  while (reader.takeSymbol(","));
  reader.expectSymbol(")");
  return values;
}

function range(reader: TokenReader, condition: ColumnCondition): Filter {
  const from = comparedValue(reader);
  reader.expectWord("and");
  return condition.between(from, comparedValue(reader));
}

function comparedValue(reader: TokenReader): Scalar {
  const { next } = reader;
  const compared = value(reader);
  if (compared === null) throw nullCompared(reader, next.begin);
  return compared;
}

function nullCompared(reader: TokenReader, at: number) {
  const place = `a value other than null at character ${at + 1}`;
  return reader.expected(place, "NULL compares to nothing: write `is null` or `is not null`.");
}

function textValue(reader: TokenReader): string {
  const { kind } = reader.next;
  return kind === "single" || kind === "double" ? reader.read().text : bareValue(reader);
}

function value(reader: TokenReader): Scalar {
  const { kind } = reader.next;
  if (kind === "single" || kind === "double") return reader.read().text;
  const text = bareValue(reader);
  return text.toLowerCase() === "null" ? null : text;
}

/** Words up to the next keyword or symbol, as they stand in the text. */
function bareValue(reader: TokenReader): string {
  const first = reader.next;
  if (first.kind !== "word") throw reader.expected("a value");
  let last = reader.read();
  while (reader.next.kind === "word" && !reader.isWord("and", "or")) last = reader.read();
  return reader.source.slice(first.begin, last.end);
}
