import type { ExecutionResult, GraphQLError } from 'graphql';

type Path = readonly (string | number)[];
type Errors = readonly GraphQLError[];

/** What came later: fields of an object, or items of a list. It says where by its path, or by the id of one that was announced. */
type Piece = {
  path?: Path;
  id?: string;
  subPath?: Path;
  data?: Record<string, unknown> | null;
  items?: readonly unknown[] | null;
  errors?: Errors;
};

/** One of the results that an answer in parts consists of; the first has the data. */
export type Part = ExecutionResult & {
  hasNext?: boolean;
  pending?: readonly { id: string; path: Path }[];
  incremental?: readonly Piece[];
  completed?: readonly { id: string; errors?: Errors }[];
};

/** The same part with other errors, wherever in it they stand. */
export function mapErrors<P extends Part>(part: P, map: (error: GraphQLError) => GraphQLError): P {
  const mapped = <T extends { errors?: Errors }>(holder: T): T =>
    holder.errors === undefined ? holder : { ...holder, errors: holder.errors.map(map) };
  return {
    ...mapped(part),
    ...(part.incremental === undefined ? {} : { incremental: part.incremental.map(mapped) }),
    ...(part.completed === undefined ? {} : { completed: part.completed.map(mapped) }),
  };
}

/** Puts an answer together out of its parts, as its client does, and leaves the parts as they are. */
export class Assembly {
  data: unknown;
  /** Whether nothing failed that would have been a part. */
  isWhole = true;
  readonly #paths = new Map<string, Path>();

  add(part: Part): void {
    if (part.data !== undefined) this.data = structuredClone(part.data);
    for (const { id, path } of part.pending ?? []) this.#paths.set(id, path);
    for (const piece of part.incremental ?? []) this.#place(piece);
    if (part.completed?.some(({ errors }) => errors !== undefined)) this.isWhole = false;
  }

  #place({ id = '', subPath = [], path, data, items }: Piece): void {
    if (data === null || items === null) this.isWhole = false;
    if (data != null) merge(this.#at([...(path ?? this.#pathOf(id)), ...subPath]), data);
    if (items == null) return;
    // A path is of the first item, an id of the list.
    const list = this.#at(path === undefined ? this.#pathOf(id) : path.slice(0, -1));
    if (Array.isArray(list)) list.push(...structuredClone(items));
  }

  #pathOf(id: string): Path {
    return this.#paths.get(id) ?? [];
  }

  #at(path: Path): unknown {
    return path.reduce((value, key) => (isObject(value) ? value[key] : undefined), this.data);
  }
}

function merge(target: unknown, source: Record<string, unknown>): void {
  if (!isObject(target)) return;
  for (const [key, value] of Object.entries(source)) {
    const known = target[key];
    if (isObject(known) && isObject(value)) merge(known, value);
    else target[key] = structuredClone(value);
  }
}

function isObject(value: unknown): value is Record<string | number, unknown> {
  return typeof value === 'object' && value !== null;
}
