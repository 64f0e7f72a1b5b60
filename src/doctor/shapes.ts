/** The paths of a JSON value with the types that were seen there: `data[].url` → `string`. */
export type Shape = ReadonlyMap<string, ReadonlySet<string>>;

export type ShapeDifference = {
  kind: 'absent' | 'added' | 'type';
  path: string;
  types: string[];
  /** The types of the other side, for the kind `type`. */
  expected?: string[];
};

/** Keys with e-mail addresses are one key, `<email>`, so that no address is in a path. */
export function shapeOf(value: unknown): Shape {
  const found = new Map<string, Set<string>>();
  addTo(found, '', value);
  return found;
}

function addTo(found: Map<string, Set<string>>, path: string, value: unknown): void {
  found.set(path, (found.get(path) ?? new Set<string>()).add(typeOf(value)));
  for (const [step, child] of childrenOf(value)) {
    addTo(found, path === '' ? step.replace(/^\./, '') : path + step, child);
  }
}

function childrenOf(value: unknown): [step: string, child: unknown][] {
  if (Array.isArray(value)) return value.map((each) => ['[]', each]);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).map(([key, each]) => [
    `.${key.includes('@') ? '<email>' : key}`,
    each,
  ]);
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'list' : typeof value;
}

/** Paths below an absent or added path are not listed again. An empty list says nothing about its items. */
export function compareShapes(real: Shape, expected: Shape): ShapeDifference[] {
  const paths = [...new Set([...real.keys(), ...expected.keys()])].toSorted();
  const isInBoth = (path: string) => real.has(path) && expected.has(path);
  return paths.flatMap((path) => {
    const parent = parentOf(path);
    const isComparable = isInBoth(path) || !path.endsWith('[]');
    if (!isComparable || (parent !== null && !isInBoth(parent))) return [];
    return compareTypes(path, real.get(path), expected.get(path));
  });
}

function compareTypes(
  path: string,
  here: ReadonlySet<string> | undefined,
  there: ReadonlySet<string> | undefined,
): ShapeDifference[] {
  const types = [...(here ?? there ?? [])].toSorted();
  if (here === undefined) return [{ kind: 'absent', path, types }];
  if (there === undefined) return [{ kind: 'added', path, types }];
  if (types.every((type) => there.has(type))) return [];
  return [{ kind: 'type', path, types, expected: [...there].toSorted() }];
}

function parentOf(path: string): string | null {
  if (path === '') return null;
  if (path.endsWith('[]')) return path.slice(0, -2);
  const at = path.lastIndexOf('.');
  return at < 0 ? '' : path.slice(0, at);
}
