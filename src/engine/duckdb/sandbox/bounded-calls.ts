import type { SyntaxNode } from "./syntax-tree.ts";

/**
 * Functions whose result can be far larger than their arguments. The engine's `memory_limit` does not count single values
 * (measured with a limit of 300 MB: `range(1000000000)` as a list and `repeat('x', 3000000000)` took more than 4 GB) and it
 * can't be interrupted while it makes one. So the size must stand in the text and be small.
 */
export const MAX_MADE_LENGTH = 10_000;

/** What the text must show of a call; answers what is wrong, or undefined. */
type CallRule = (args: readonly SyntaxNode[]) => string | undefined;

const lengthAt =
  (index: number): CallRule =>
  (args) => {
    const length = integerLiteral(args[index]);
    if (length !== undefined && length <= MAX_MADE_LENGTH) return undefined;
    return `its argument ${index + 1} must be a whole number of at most ${MAX_MADE_LENGTH}, written out`;
  };

/** As a list; in FROM the same functions stream and have no bound. */
const series: CallRule = (args) => {
  const [first = 0n, second, third = 1n] = args.map(integerLiteral);
  const written = args.every((argument) => integerLiteral(argument) !== undefined);
  const [start, stop] = second === undefined ? [0n, first] : [first, second];
  const size = third === 0n ? 0n : (stop - start) / third + 1n;
  if (written && size <= MAX_MADE_LENGTH) return undefined;
  return `as a list, its bounds must be whole numbers, written out, with at most ${MAX_MADE_LENGTH} steps; use it in FROM for more`;
};

const repetition: CallRule = ([text, count]) => {
  const times = integerLiteral(count);
  const unit = textLiteral(text);
  if (times !== undefined && unit !== undefined && times * BigInt(unit.length) <= MAX_MADE_LENGTH) return undefined;
  return `its text and its number must be written out and make at most ${MAX_MADE_LENGTH} characters`;
};

// Widths come as `%10d`, `%*d`, `{:10}` or `{:{}}`.
const template: CallRule = ([text]) => {
  const written = textLiteral(text);
  const harmless = written !== undefined && !/\d{4}|%[^a-zA-Z%]*\*|\{[^{}]*\{/.test(written.replaceAll("{{", ""));
  return harmless ? undefined : "its template must be written out, with widths of at most three digits";
};

const rules: ReadonlyMap<string, CallRule> = new Map([
  ["lpad", lengthAt(1)],
  ["rpad", lengthAt(1)],
  ["list_resize", lengthAt(1)],
  ["array_resize", lengthAt(1)],
  ["bitstring", lengthAt(1)],
  ["range", series],
  ["generate_series", series],
  ["repeat", repetition],
  ["printf", template],
  ["format", template],
]);

/** The names of the functions that are bounded so. */
export const boundedFunctions: readonly string[] = [...rules.keys()];

/** What is wrong with a call's arguments, or undefined. */
export function boundViolation(name: string, args: readonly SyntaxNode[]): string | undefined {
  return rules.get(name.toLowerCase())?.(args);
}

function constant(node: SyntaxNode | undefined): { type: unknown; value: unknown } | undefined {
  if (node?.class !== "CONSTANT") return undefined;
  const { type, value } = node.value as { type?: { id?: unknown }; value?: unknown };
  return { type: type?.id, value };
}

function integerLiteral(node: SyntaxNode | undefined): bigint | undefined {
  const literal = constant(node);
  if (literal?.type !== "INTEGER" || typeof literal.value !== "number") return undefined;
  return BigInt(literal.value);
}

function textLiteral(node: SyntaxNode | undefined): string | undefined {
  const literal = constant(node);
  return literal?.type === "VARCHAR" && typeof literal.value === "string" ? literal.value : undefined;
}
