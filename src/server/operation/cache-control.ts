import { createHash } from 'node:crypto';
import { type Plugin as EnvelopPlugin, isAsyncIterable } from '@envelop/core';
import type { ExecutionResult } from 'graphql';
import type { FetchAPI, Plugin } from 'graphql-yoga';
import { sharedMaxAge } from '../../graphql/cache-hints.ts';
import type { Context } from '../../graphql/context.ts';

/** What an answer depends on, beside the address: a cache keeps one for each. */
const variants = 'Origin, Authorization, Accept';

type Yogas = { request?: Request };

/**
 * Lets browsers and CDNs keep what is the same for everybody, where it was asked for by GET: with `Cache-Control`, a
 * strong `ETag`, and 304 for whoever has it already. All else goes out as `no-store`, which is what `http.ts` says of
 * every answer.
 *
 * An answer that may be kept has no `extensions`: its cost is that of the one who asked first. To whoever sends a token
 * it is `private`, since another one may not be allowed to ask.
 */
export function useSharedAnswers(): { hold: EnvelopPlugin<Context & Yogas>; tell: Plugin } {
  const seconds = new WeakMap<Request, number>();
  return {
    hold: {
      onExecute({ args }) {
        const { contextValue } = args;
        const { request } = contextValue;
        if (request?.method !== 'GET') return;
        return {
          onExecuteDone({ result, setResult }) {
            if (isAsyncIterable(result)) return;
            const { data, errors } = result as ExecutionResult;
            if (errors !== undefined || data === null || data === undefined) return;
            const keepFor = sharedMaxAge(contextValue, data);
            if (keepFor === 0) return;
            seconds.set(request, keepFor);
            setResult({ data });
          },
        };
      },
    },
    tell: {
      async onResponse({ request, response, setResponse, fetchAPI }) {
        const keepFor = seconds.get(request);
        const type = response.headers.get('content-type') ?? '';
        const isResult = /^application\/(graphql-response\+)?json\b/.test(type);
        if (keepFor === undefined || response.status !== 200 || !isResult) return;
        setResponse(keep(request, { text: await response.text(), type, keepFor }, fetchAPI));
      },
    },
  };
}

function keep(
  request: Request,
  { text, type, keepFor }: { text: string; type: string; keepFor: number },
  { Response }: FetchAPI,
): Response {
  const scope = request.headers.has('authorization') ? 'private' : 'public';
  // The same bytes as another type are another representation, and so have another tag.
  const tag = `"${createHash('sha256').update(`${type}\n${text}`).digest('base64url')}"`;
  const headers = { 'cache-control': `${scope}, max-age=${keepFor}`, etag: tag, vary: variants };
  return isKnown(request.headers.get('if-none-match'), tag)
    ? new Response(null, { status: 304, headers })
    : new Response(text, { status: 200, headers: { ...headers, 'content-type': type } });
}

/** Proxies that compress make a tag a weak one, and still mean the same text. */
function isKnown(ifNoneMatch: string | null, tag: string): boolean {
  if (ifNoneMatch === null) return false;
  const known = ifNoneMatch.split(',').map((each) => each.trim().replace(/^W\//, ''));
  return known.includes('*') || known.includes(tag);
}
