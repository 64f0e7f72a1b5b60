import { listLipsyncsDocument } from '../documents.ts';
import { executeField } from '../execute.ts';
import type { LipsyncFilter, ListLipsyncsQuery } from '../operations.ts';
import type { FieldFailure } from '../result.ts';
import type { LipsyncServer } from '../server.ts';

/** `nodes` are the lip-syncs, the newest first. Pass `pageInfo.endCursor` as `after` to continue later. */
export type LipsyncPage = NonNullable<ListLipsyncsQuery['answer']>;

/** Which lip-syncs `listLipsyncs` reads, and in which steps. */
export type ListOptions = {
  /** Default: all of the caller's. */
  filter?: LipsyncFilter | undefined;
  /** How many lip-syncs a page has, at most 100. Default: the server's. */
  pageSize?: number | undefined;
  /** The `endCursor` of the page before the first one. */
  after?: string | undefined;
  /** Aborts the request that is running, and the iteration. */
  signal?: AbortSignal | undefined;
};

/**
 * Iterates the pages of the caller's lip-syncs, and reads a page when it is asked for. A failure is the last item.
 *
 * @throws LipsyncConnectionError, LipsyncServerError, LipsyncRequestError, or the signal's reason
 */
export async function* listLipsyncs(
  server: LipsyncServer,
  { filter, pageSize, after, signal }: ListOptions = {},
): AsyncGenerator<LipsyncPage | FieldFailure, undefined> {
  for (let cursor = after; ; ) {
    const page = await executeField(server, {
      document: listLipsyncsDocument,
      variables: { filter, first: pageSize, after: cursor },
      signal,
    });
    if (page === null) return;
    yield page;
    if (page.__typename !== 'LipsyncConnection' || !page.pageInfo.hasNextPage) return;
    cursor = page.pageInfo.endCursor ?? undefined;
  }
}
