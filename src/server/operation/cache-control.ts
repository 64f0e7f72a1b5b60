import { createHash } from 'node:crypto';
import { isAsyncIterable } from '@envelop/core';
import type { ExecutionResult } from 'graphql';
import type { FetchAPI } from 'graphql-yoga';
import { sharedMaxAge } from '../../graphql/cache-hints.ts';
import type { PipelinePlugin } from './plugin.ts';

/** The request headers that change the response, beside the URL: a cache keeps one entry for each combination. */
const varyingHeaders = 'Origin, Authorization, Accept';

/**
 * Lets browsers and CDNs cache GET queries whose result is the same for every caller: with `Cache-Control`, a strong
 * `ETag` and 304 responses. All other responses stay `no-store`, which `setSecurityHeaders` sets by default.
 *
 * A cacheable result has no `extensions`, because they contain the cost and quota of the first caller. A response to a
 * request with a token is `private`, because another caller can lack the scope.
 */
export function useCacheControl(): PipelinePlugin {
  const maxAges = new WeakMap<Request, number>();
  return {
    onExecute({ args: { contextValue } }) {
      const { request } = contextValue;
      if (request?.method !== 'GET') return;
      return {
        onExecuteDone({ result, setResult }) {
          if (isAsyncIterable(result)) return;
          const { data, errors } = result as ExecutionResult;
          if (errors !== undefined || data === null || data === undefined) return;
          const maxAge = sharedMaxAge(contextValue, data);
          if (maxAge === 0) return;
          maxAges.set(request, maxAge);
          setResult({ data });
        },
      };
    },
    async onResponse({ request, response, setResponse, fetchAPI }) {
      const maxAge = maxAges.get(request);
      const type = response.headers.get('content-type') ?? '';
      const isResult = /^application\/(graphql-response\+)?json\b/.test(type);
      if (maxAge === undefined || response.status !== 200 || !isResult) return;
      const text = await response.text();
      setResponse(createCacheableResponse(request, { text, type, maxAge }, fetchAPI));
    },
  };
}

function createCacheableResponse(
  request: Request,
  { text, type, maxAge }: { text: string; type: string; maxAge: number },
  { Response }: FetchAPI,
): Response {
  const visibility = request.headers.has('authorization') ? 'private' : 'public';
  // The tag includes the content type: the same text with another type is another representation.
  const etag = `"${createHash('sha256').update(`${type}\n${text}`).digest('base64url')}"`;
  const headers = {
    'cache-control': `${visibility}, max-age=${maxAge}`,
    etag,
    vary: varyingHeaders,
  };
  return matchesTag(request.headers.get('if-none-match'), etag)
    ? new Response(null, { status: 304, headers })
    : new Response(text, { status: 200, headers: { ...headers, 'content-type': type } });
}

/** Weak tags match too: a proxy that compresses the response weakens the tag, and the text is still the same. */
function matchesTag(ifNoneMatch: string | null, etag: string): boolean {
  if (ifNoneMatch === null) return false;
  const tags = ifNoneMatch.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes('*') || tags.includes(etag);
}
