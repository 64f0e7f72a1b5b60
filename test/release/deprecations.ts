import { type ASTNode, type DirectiveNode, Kind, parse } from 'graphql';

type Deprecation = {
  /** A coordinate such as `Query.lipsync` or `Query.lipsync.id`. */
  path: string;
  /** The last day of support, such as `2027-06-30`; null when the reason does not give one. */
  until: string | null;
};

/** The form of every `reason`: it must give the last day of support. */
export const reasonForm = 'Until 2027-06-30: what to use instead.';

/** Deprecations without a valid day or without a replacement. */
export function findUndated(sdl: string): string[] {
  return readDeprecations(sdl).flatMap(({ path, until }) => (until === null ? [path] : []));
}

/** Elements removed before the end of their last day, even when the changelog names them. @param today such as `2027-06-30`, in UTC */
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

type SchemaPath = { path: string; directives: readonly DirectiveNode[] };

/** The definitions that this walk visits: everything with a name has a coordinate; only fields, arguments and values are deprecated. */
type Named = ASTNode & {
  name?: { value: string };
  directives?: readonly DirectiveNode[];
  fields?: readonly ASTNode[];
  values?: readonly ASTNode[];
  arguments?: readonly ASTNode[];
};

function readPaths(sdl: string): SchemaPath[] {
  return parse(sdl).definitions.flatMap((node) => placesIn(node as Named, ''));
}

function placesIn({ name, directives = [], ...node }: Named, owner: string): SchemaPath[] {
  if (name === undefined) return [];
  const path = owner === '' ? name.value : `${owner}.${name.value}`;
  const inside = [node.fields, node.values, node.arguments].flatMap((nodes) => nodes ?? []);
  return [{ path, directives }, ...inside.flatMap((child) => placesIn(child as Named, path))];
}
