/** Some members of an object in JSON, and where their values stand in its text. */
export interface RecordMembers {
  /** As a column of text has them: strings without quotes, other values as they are written, null for NULL and what is missing. */
  readonly values: readonly (string | null)[];
  readonly spans: readonly (readonly [start: number, end: number] | undefined)[];
  /** Where another member could be put in. */
  readonly end: number;
  readonly isEmpty: boolean;
}

/** Finds members of an object; undefined where the text is none, which the engine is left to complain of. */
export function membersOf(text: string, names: readonly string[]): RecordMembers | undefined {
  const values: (string | null)[] = names.map(() => null);
  const spans: (readonly [number, number] | undefined)[] = names.map(() => undefined);
  try {
    let at = afterSpace(text, 0);
    if (text[at] !== "{") return undefined;
    at = afterSpace(text, at + 1);
    const isEmpty = text[at] === "}";
    while (text[at] === '"') {
      const keyEnd = afterString(text, at);
      const key = JSON.parse(text.slice(at, keyEnd)) as string;
      const colon = afterSpace(text, keyEnd);
      if (text[colon] !== ":") return undefined;
      const start = afterSpace(text, colon + 1);
      const end = afterValue(text, start);
      const index = names.indexOf(key);
      if (index >= 0) {
        values[index] = textOf(text.slice(start, end).trimEnd());
        spans[index] = [start, end];
      }
      at = afterSpace(text, end);
      if (text[at] === ",") at = afterSpace(text, at + 1);
    }
    return text[at] === "}" ? { values, spans, end: at, isEmpty } : undefined;
  } catch {
    return undefined;
  }
}

/** The object with other values for those members; `values` are JSON. */
export function withMembers(
  text: string,
  { spans, end, isEmpty }: RecordMembers,
  names: readonly string[],
  values: readonly string[],
): string {
  const edits = spans.flatMap((span, at) =>
    span ? [{ start: span[0], end: span[1], text: values[at] ?? "null" }] : [],
  );
  const added = names.flatMap((name, at) =>
    spans[at] || values[at] === "null" ? [] : [`${JSON.stringify(name)}:${values[at]}`],
  );
  if (added.length > 0) edits.push({ start: end, end, text: `${isEmpty ? "" : ","}${added.join(",")}` });
  let result = "";
  let from = 0;
  for (const edit of edits.sort((left, right) => left.start - right.start)) {
    result += text.slice(from, edit.start) + edit.text;
    from = edit.end;
  }
  return result + text.slice(from);
}

function textOf(json: string): string | null {
  if (json === "null") return null;
  return json.startsWith('"') ? (JSON.parse(json) as string) : json;
}

function afterSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && text.charCodeAt(at) <= 32) at++;
  return at;
}

function afterString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === '"') return at + 1;
  }
  throw new SyntaxError("a string does not end");
}

/** Where a value ends: before the comma or bracket that follows it. */
function afterValue(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const char = text[at];
    if (char === '"') at = afterString(text, at) - 1;
    else if (char === "{" || char === "[") depth++;
    else if (char === "}" || char === "]") {
      if (depth === 0) return at;
      depth--;
    } else if (char === "," && depth === 0) return at;
  }
  throw new SyntaxError("a value does not end");
}
