/**
 * True if every path in the `map` of a multipart request names a field of the operations that is missing, or a field or
 * list item that is null, as the format requires. Yoga assigns to any path. "variables.ids.99999999" would make a list of a
 * hundred million items out of an empty one, "variables.ids.length" too, and coercing it would block the process for
 * minutes; and the limits of values have been checked before.
 *
 * @throws SyntaxError if one of the texts is not JSON
 */
export function isValidFileMap(operations: string, map: string): boolean {
  const root: unknown = JSON.parse(operations);
  const lists: unknown[] = Object.values((JSON.parse(map) as object | null) ?? {});
  return lists.every(
    (paths) =>
      Array.isArray(paths) &&
      paths.every((path) => typeof path === 'string' && isVacant(root, path.split('.'))),
  );
}

function isVacant(root: unknown, steps: readonly string[]): boolean {
  let value = root;
  for (const [at, step] of steps.entries()) {
    if (typeof value !== 'object' || value === null) return false;
    if (!Object.hasOwn(value, step)) return at === steps.length - 1 && !Array.isArray(value);
    value = (value as Record<string, unknown>)[step];
  }
  return value === null;
}
