// Value parsers for any source whose columns come out of dBASE by other ways, as CSV for example: `--option parsers=born=js:dbfDate`.

/** `19991231` as a date. */
export function dbfDate(text: string | null): string | null {
  return text === null ? null : (/^(\d{4})(\d\d)(\d\d)$/.exec(text.trim())?.slice(1).join("-") ?? null);
}
