import type { ObjectRef } from '@pothos/core';
import { type InputIssue, InvalidInputError } from '../errors.ts';
import { builder } from './builder.ts';

type BuilderTypes = typeof builder.$inferSchemaTypes;

export type PageArgs = {
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
};

export type Page = {
  limit: number;
  isBackwards: boolean;
  after: string | null;
  before: string | null;
};

const defaultPageSize = 20;
const maxPageSize = 100;

/** @throws InvalidInputError for a size outside 1 to 100, and if `first` and `last` are both given */
export function pageOf({ first, after, last, before }: PageArgs): Page {
  const issues: InputIssue[] = Object.entries({ first, last })
    .filter(([, size]) => size != null && (size < 1 || size > maxPageSize))
    .map(([name]) => ({
      path: [name],
      message: `${name} must be a number from 1 to ${maxPageSize}.`,
      code: 'OUT_OF_RANGE',
    }));
  if (first != null && last != null) {
    issues.push({
      path: ['last'],
      message: 'first and last cannot be combined.',
      code: 'NOT_COMBINABLE',
    });
  }
  if (issues.length > 0) throw new InvalidInputError(issues);
  return {
    limit: first ?? last ?? defaultPageSize,
    // `before` without `last` means the page that ends right before the cursor.
    isBackwards: last != null || (first == null && before != null),
    after: after ?? null,
    before: before ?? null,
  };
}

/** Ends the description of a list without a result union. */
export const nullOnFailure =
  'Null with an entry in `errors` if it could not be read, for example because an argument is not valid.';

/** The arguments of a list that is ordered from new to old. `plural` is used in their descriptions, such as "lip-syncs". */
export const defineListArguments = (plural: string) =>
  builder.args((t) => ({
    first: t.int({
      description: 'How many from the start of the list or after `after`: 1 to 100, default 20.',
    }),
    after: t.string({ description: `A cursor: only ${plural} older than this one.` }),
    last: t.int({
      description: 'How many from the end of the list or before `before`: 1 to 100.',
    }),
    before: t.string({ description: `A cursor: only ${plural} newer than this one.` }),
  }));

/** Builds a connection from up to `limit + 1` items in the page's direction. The extra item shows that there are more. */
export function connectionOf<T>(
  items: readonly T[],
  page: Page,
  cursorOf: (item: T) => string,
): Connection<T> {
  const hasMore = items.length > page.limit;
  const kept = items.slice(0, page.limit);
  if (page.isBackwards) kept.reverse();
  const edges = kept.map((node) => ({ node, cursor: cursorOf(node) }));
  return {
    edges,
    pageInfo: {
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
      hasPreviousPage: page.isBackwards ? hasMore : page.after !== null,
      hasNextPage: page.isBackwards ? page.before !== null : hasMore,
    },
  };
}

export type Connection<T> = {
  edges: { node: T; cursor: string }[];
  pageInfo: {
    startCursor: string | null;
    endCursor: string | null;
    hasPreviousPage: boolean;
    hasNextPage: boolean;
  };
};

/** Defines the types `<name>Connection` and `<name>Edge`. `plural` is used in their descriptions, such as "lip-syncs". */
export function defineConnection<T>(
  node: ObjectRef<BuilderTypes, string | T, T> | ObjectRef<BuilderTypes, T>,
  { name, plural }: { name: string; plural: string },
) {
  // The two kinds of reference differ only in the other inputs that they accept; both accept a node.
  const type = node as ObjectRef<BuilderTypes, T>;
  const EdgeRef = builder.objectRef<Connection<T>['edges'][number]>(`${name}Edge`).implement({
    description: `An item of a page of ${plural}, with its cursor.`,
    fields: (t) => ({
      cursor: t.exposeString('cursor', {
        description: 'The position of the item, for `after` and `before`.',
      }),
      node: t.field({
        type,
        description: 'The item.',
        extensions: { isLoaded: true },
        // Pothos cannot relate the generic `T` to the reference's type.
        resolve: (edge) => edge.node as never,
      }),
    }),
  });
  return builder.objectRef<Connection<T>>(`${name}Connection`).implement({
    description: `A page of ${plural}.`,
    fields: (t) => ({
      edges: t.field({
        type: [EdgeRef],
        description: `The ${plural} of this page, each with its cursor.`,
        resolve: ({ edges }) => edges,
      }),
      nodes: t.field({
        type: [type],
        description: `The ${plural} of this page, without cursors.`,
        // Pothos cannot relate the generic `T` to the reference's type.
        extensions: { isLoaded: true },
        resolve: ({ edges }) => edges.map((edge) => edge.node) as never,
      }),
      pageInfo: t.field({
        type: builder.pageInfoRef(),
        description: 'The position of this page in the list.',
        resolve: ({ pageInfo }) => pageInfo,
      }),
    }),
  });
}
