import type { ObjectRef } from '@pothos/core';
import { InvalidInputError } from '../errors.ts';
import { builder } from './builder.ts';

type Extended = typeof builder.$inferSchemaTypes;

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

/** @throws InvalidInputError for sizes outside 1 to 100, and where both directions are asked for. */
export function pageOf({ first, after, last, before }: PageArgs): Page {
  const issues = Object.entries({ first, last })
    .filter(([, size]) => size != null && (size < 1 || size > maxPageSize))
    .map(([name]) => ({ path: [name], message: `${name} is a number from 1 to ${maxPageSize}.` }));
  if (first != null && last != null) {
    issues.push({ path: ['last'], message: 'first and last exclude each other.' });
  }
  if (issues.length > 0) throw new InvalidInputError(issues);
  return {
    limit: first ?? last ?? defaultPageSize,
    // A page before a cursor is the one right before it.
    isBackwards: last != null || (first == null && before != null),
    after: after ?? null,
    before: before ?? null,
  };
}

/** A connection from up to `limit + 1` items in the page's own direction: the extra one shows that there are more. */
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

/** Defines `<name>Connection` and `<name>Edge`. `things` is the plural in their descriptions, such as "lip-syncs". */
export function defineConnection<T>(
  node: ObjectRef<Extended, string | T, T> | ObjectRef<Extended, T>,
  { name, things }: { name: string; things: string },
) {
  // The two kinds of reference differ only in what else they take: both take what the edges hold.
  const type = node as ObjectRef<Extended, T>;
  const EdgeRef = builder.objectRef<Connection<T>['edges'][number]>(`${name}Edge`).implement({
    description: `One of the ${things} of a page, with its cursor.`,
    fields: (t) => ({
      cursor: t.exposeString('cursor', { description: 'Its place, for `after` and `before`.' }),
      node: t.field({
        type,
        description: 'The thing itself.',
        resolve: (edge) => edge.node as never,
      }),
    }),
  });
  return builder.objectRef<Connection<T>>(`${name}Connection`).implement({
    description: `A page of ${things}.`,
    fields: (t) => ({
      edges: t.field({
        type: [EdgeRef],
        description: `The ${things} of this page, each with its cursor.`,
        resolve: ({ edges }) => edges,
      }),
      nodes: t.field({
        type: [type],
        description: `The ${things} of this page, without their cursors.`,
        resolve: ({ edges }) => edges.map((edge) => edge.node) as never,
      }),
      pageInfo: t.field({
        type: builder.pageInfoRef(),
        description: 'Where this page stands in the list.',
        resolve: ({ pageInfo }) => pageInfo,
      }),
    }),
  });
}
