import { tokensOf } from "./tokens.ts";

interface Case {
  whens: number;
  operand: number;
  branches: number;
}

/**
 * How many tokens the engine's parser makes of a text. `CASE x WHEN … WHEN …` copies x for each WHEN while it parses, so CASEs
 * nested in each other's x grow exponentially and can't be interrupted: 12 with two WHENs took 0.3 s, 18 took 20 s. The answer is
 * never too small for a text that the engine accepts; for others it does not matter. It is 0 where nothing can be nested, and
 * counting ends when `limit` is passed.
 */
export function parsedSize(sql: string, limit: number): number {
  if ((sql.match(/case/gi)?.length ?? 0) < 2) return 0;
  let size = 0;
  const open: Case[] = [{ whens: 1, operand: 0, branches: 0 }];
  for (const { word, isName } of keywords(sql)) {
    size += 1;
    if (size > limit) return size;
    // Only the grammar can tell the key `end:` from the end of a CASE in `x[… END:3]`: then the worst is taken.
    if (isName && /^(case|when|end)$/.test(word)) return worstSize(sql, limit);
    count(open, word);
  }
  while (open.length > 1) close(open);
  return open[0]?.branches ?? 0;
}

function count(open: Case[], word: string): void {
  const top = open.at(-1) as Case;
  if (word === "case") open.push({ whens: 0, operand: 0, branches: 0 });
  else if (word === "when") top.whens += 1;
  else if (word === "end" && open.length > 1 && top.whens > 0) close(open);
  else if (top.whens === 0) top.operand += 1;
  else top.branches += 1;
}

function close(open: Case[]): void {
  const done = open.pop() as Case;
  const outer = open.at(-1) as Case;
  const size = 1 + Math.max(1, done.whens) * (1 + done.operand) + done.branches;
  if (outer.whens === 0) outer.operand += size;
  else outer.branches += size;
}

/** The largest that as many CASEs and WHENs could make of a text, whatever their order. */
function worstSize(sql: string, limit: number): number {
  const [cases, whens, size] = [/case/gi, /when/gi, /\w+|\S/g].map((pattern) => sql.match(pattern)?.length ?? 0) as [
    number,
    number,
    number,
  ];
  let copies = 1;
  for (let depth = 1; depth <= Math.min(cases, whens) && copies <= limit; depth++)
    copies = Math.max(copies, (whens / depth) ** depth);
  return copies * size;
}

interface Keyword {
  /** In small letters. */
  readonly word: string;
  /** Whether it may be a name in spite of how it looks: after a dot or AS, before a colon. */
  readonly isName: boolean;
}

function* keywords(sql: string): Generator<Keyword> {
  let before = "";
  for (const { text, start, end } of tokensOf(sql)) {
    if (/^(\s|--|\/\*)/.test(text)) continue;
    const word = afterDigits(sql, start, text.toLowerCase());
    yield { word, isName: before === "." || before === "as" || isBeforeColon(sql, end) };
    before = word;
  }
}

function isBeforeColon(sql: string, end: number): boolean {
  const colon = /\s*:(?!:)/y;
  colon.lastIndex = end;
  return colon.test(sql);
}

/** `1e5case` is a number and a keyword: what follows a digit is taken as the keyword that it ends with. */
function afterDigits(sql: string, start: number, word: string): string {
  if (start === 0 || !/\d/.test(sql[start - 1] ?? "")) return word;
  return /(case|when|end)$/.exec(word)?.[0] ?? word;
}
