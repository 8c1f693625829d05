/** Splits `schema."a table"` at its points; undefined where that can't be done or a part is empty. */
export function splitName(text: string): readonly string[] | undefined {
  const parts: string[] = [];
  let at = 0;
  for (;;) {
    const quoted = /^"((?:[^"]|"")*)"/.exec(text.slice(at));
    const part = quoted ?? /^[^".]+/.exec(text.slice(at));
    if (!part) return undefined;
    const name = quoted ? (quoted[1] ?? "").replaceAll('""', '"') : part[0];
    if (name === "") return undefined;
    parts.push(name);
    at += part[0].length;
    if (at === text.length) return parts;
    if (text[at] !== ".") return undefined;
    at++;
  }
}

/** A name as `splitName` takes it. */
export function joinName(...parts: readonly string[]): string {
  return parts.map((part) => (/[".]/.test(part) ? `"${part.replaceAll('"', '""')}"` : part)).join(".");
}
