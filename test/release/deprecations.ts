import { type ASTNode, type DirectiveNode, Kind, parse } from 'graphql';

type Deprecation = {
  /** A coordinate such as `Query.lipsync` or `Query.lipsync.id`. */
  path: string;
  /** The last day on which it is there, `2027-06-30`; null where its reason doesn't say. */
  until: string | null;
};

/** What every `reason` looks like, since whoever uses the thing has to know how long it may. */
export const reasonForm = 'Until 2027-06-30: what to use instead.';

/** What is deprecated without a day that exists and words for what to use. */
export function findUndated(sdl: string): string[] {
  return readDeprecations(sdl).flatMap(({ path, until }) => (until === null ? [path] : []));
}

/** What is gone before its day is over, whatever the changelog says. @param today as in `2027-06-30`, in UTC */
export function findBrokenPromises(released: string, current: string, today: string): string[] {
  const left = new Set(readPaths(current).map(({ path }) => path));
  return readDeprecations(released).flatMap(({ path, until }) =>
    until !== null && today <= until && !left.has(path) ? [path] : [],
  );
}

function readDeprecations(sdl: string): Deprecation[] {
  return readPaths(sdl).flatMap(({ path, directives }) => {
    const deprecated = directives.find(({ name }) => name.value === 'deprecated');
    return deprecated === undefined ? [] : [{ path, until: dayOf(deprecated) }];
  });
}

function dayOf(deprecated: DirectiveNode): string | null {
  const reason = deprecated.arguments?.find(({ name }) => name.value === 'reason')?.value;
  const text = reason?.kind === Kind.STRING ? reason.value : '';
  const day = /^Until (\d{4}-\d{2}-\d{2}): \S/.exec(text)?.[1] ?? '';
  const isDay = !Number.isNaN(Date.parse(day)) && new Date(day).toISOString().startsWith(day);
  return isDay ? day : null;
}

type Place = { path: string; directives: readonly DirectiveNode[] };

/** As far as this walk needs them: whatever has a name has a coordinate, and only fields, arguments and values end. */
type Named = ASTNode & {
  name?: { value: string };
  directives?: readonly DirectiveNode[];
  fields?: readonly ASTNode[];
  values?: readonly ASTNode[];
  arguments?: readonly ASTNode[];
};

function readPaths(sdl: string): Place[] {
  return parse(sdl).definitions.flatMap((node) => placesIn(node as Named, ''));
}

function placesIn({ name, directives = [], ...node }: Named, owner: string): Place[] {
  if (name === undefined) return [];
  const path = owner === '' ? name.value : `${owner}.${name.value}`;
  const inside = [node.fields, node.values, node.arguments].flatMap((nodes) => nodes ?? []);
  return [{ path, directives }, ...inside.flatMap((child) => placesIn(child as Named, path))];
}
