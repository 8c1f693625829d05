const nowhere = () => undefined;
const PLACE = "query_location";

/**
 * Whether `rendered` is the tree of `original` in which exactly the expected tables were replaced by their stand-ins, and
 * nothing else changed but the places. `standIn` tells, for a table node that stands in the original, which node must be there;
 * undefined means the same one. Trees are as deep as `SelectCheck` allows.
 */
export function isSameTree(
  original: unknown,
  rendered: unknown,
  standIn: (table: object) => object | undefined,
): boolean {
  if (typeof original !== "object" || original === null) return original === rendered;
  if (typeof rendered !== "object" || rendered === null) return false;
  if (Array.isArray(original))
    return (
      Array.isArray(rendered) &&
      original.length === rendered.length &&
      original.every((item, index) => isSameTree(item, rendered[index], standIn))
    );
  if (Array.isArray(rendered)) return false;
  const replaced = standIn(original);
  const expected = (replaced ?? original) as Readonly<Record<string, unknown>>;
  return haveSameFields(expected, rendered as Readonly<Record<string, unknown>>, replaced ? nowhere : standIn);
}

function haveSameFields(
  original: Readonly<Record<string, unknown>>,
  rendered: Readonly<Record<string, unknown>>,
  standIn: (table: object) => object | undefined,
): boolean {
  let fields = 0;
  for (const name of Object.keys(original)) {
    if (name === PLACE) continue;
    if (!Object.hasOwn(rendered, name) || !isSameTree(original[name], rendered[name], standIn)) return false;
    fields += 1;
  }
  return Object.keys(rendered).length - (Object.hasOwn(rendered, PLACE) ? 1 : 0) === fields;
}
