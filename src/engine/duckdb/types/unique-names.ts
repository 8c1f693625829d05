/** Makes the names of a result unique the second `a` becomes `a_2`. */
export function uniqueNames(names: readonly string[]): readonly string[] {
  const given = new Set(names);
  const taken = new Set<string>();
  return names.map((name) => {
    let unique = name;
    for (let number = 2; taken.has(unique) || (unique !== name && given.has(unique)); number++) {
      unique = `${name}_${number}`;
    }
    taken.add(unique);
    return unique;
  });
}
