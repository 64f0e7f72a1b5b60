import type { IncomingMessage } from 'node:http';
import { LRUCache } from 'lru-cache';

/** The media types of a single result. */
const resultTypes = ['application/json', 'application/graphql-response+json'] as const;

export type ResultType = (typeof resultTypes)[number];

const jsonBody = /^application\/(json|graphql\+json)\s*(;|$)/i;

/**
 * The media type of the response to a request for one result in JSON. Null: the request is of another kind, such as one
 * for an event stream or for the page, or its body is a form.
 */
export function resultTypeOf({ method, headers }: IncomingMessage): ResultType | null {
  const isPost = method === 'POST' && jsonBody.test(headers['content-type'] ?? '');
  return isPost || method === 'GET' ? preferredType(headers.accept ?? '*/*') : null;
}

/** Clients of one kind send the same header. */
const preferredTypes = new LRUCache<string, { type: ResultType | null }>({ max: 200 });

function preferredType(accept: string): ResultType | null {
  const known = preferredTypes.get(accept);
  if (known !== undefined) return known.type;
  const type = findType(accept);
  preferredTypes.set(accept, { type });
  return type;
}

/** @param accept normalized: the most preferred type first */
function findType(accept: string): ResultType | null {
  const ranges = accept
    .toLowerCase()
    .split(',')
    .map((range) => range.split(';')[0]?.trim() ?? '');
  if (ranges[0] === 'text/event-stream' || ranges.includes('text/html')) return null;
  for (const range of ranges) {
    const type = resultTypes.find((each) => [each, 'application/*', '*/*'].includes(range));
    if (type !== undefined) return type;
  }
  return null;
}
