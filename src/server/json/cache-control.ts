import { createHash } from 'node:crypto';
import type { ExecutionResult } from 'graphql';
import { sharedMaxAge } from '../../graphql/cache-hints.ts';
import type { Context } from '../../graphql/context.ts';

/** The request headers that change the response: a cache has one entry for each combination of them with the URL. */
const varyingHeaders = 'Origin, Authorization, Accept';

/** Seconds for which browsers and CDNs may cache the result of a GET query, the same for every caller; 0: not at all. */
export function maxAgeOf(context: Context, { data, errors }: ExecutionResult): number {
  if (errors !== undefined || data === null || data === undefined) return 0;
  return sharedMaxAge(context, data);
}

export type CacheHeaders = { 'cache-control': string; etag: string; vary: string };

/**
 * The headers of a response that may be cached, with a strong `ETag`. The response to a request with a token is `private`,
 * because another caller can lack the scope.
 */
export function cacheHeadersOf(response: {
  text: string;
  type: string;
  maxAge: number;
  hasToken: boolean;
}): CacheHeaders {
  const { text, type, maxAge, hasToken } = response;
  // The tag includes the content type: the same text with another type is another representation.
  const hash = createHash('sha256').update(`${type}\n${text}`).digest('base64url');
  return {
    'cache-control': `${hasToken ? 'private' : 'public'}, max-age=${maxAge}`,
    etag: `"${hash}"`,
    vary: varyingHeaders,
  };
}

/** Weak tags match too: a proxy that compresses the response weakens the tag, and the text is still the same. */
export function matchesTag(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const tags = ifNoneMatch.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes('*') || tags.includes(etag);
}
