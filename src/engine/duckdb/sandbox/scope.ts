/**
 * The names of common table expressions that can be seen from a place. The engine compares them without regard to ASCII case;
 * a name that it would compare more loosely is none here, which refuses rather than admits.
 */
export class Scope {
  readonly #names: ReadonlySet<string>;

  constructor(names: Iterable<string> = []) {
    this.#names = new Set(names);
  }

  with(name: string): Scope {
    return new Scope([...this.#names, lower(name)]);
  }

  has(name: string): boolean {
    return this.#names.has(lower(name));
  }
}

function lower(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/**
 * Names that the engine gives to its own views, which it finds without any qualifier. No table of a user's SELECT may be
 * called so; neither may one that the engine would open as a file if it ever missed the common table expression.
 */
export function isSystemName(name: string): boolean {
  return /^(duckdb|pg|pragma|sqlite)_|^information_schema$/i.test(name);
}

/** Whether the engine might take the name for a file's. */
export function looksLikeFile(name: string): boolean {
  return /[./\\:*?[\]]/.test(name);
}
