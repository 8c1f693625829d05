/**
 * Names that differ, whatever their case (SQL does not tell it apart): an empty one becomes `column_3` by its place, a
 * repeated one `a_2`, `a_3`, ….
 */
export function uniqueNames(headers: readonly string[]): readonly string[] {
  const wanted = headers.map((header, index) => header.replaceAll("\0", "").trim() || `column_${index + 1}`);
  // Names that stand in the header come before names that are made.
  const taken = new Set<string>();
  const result = wanted.map((name) => {
    if (taken.has(name.toLowerCase())) return undefined;
    taken.add(name.toLowerCase());
    return name;
  });
  return wanted.map((name, index) => {
    const kept = result[index];
    if (kept !== undefined) return kept;
    let counter = 2;
    while (taken.has(`${name}_${counter}`.toLowerCase())) counter++;
    taken.add(`${name}_${counter}`.toLowerCase());
    return `${name}_${counter}`;
  });
}
