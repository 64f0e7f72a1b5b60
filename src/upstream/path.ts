import { NotFoundError } from '../errors.ts';

export type Query = Record<string, string | number | undefined>;

/**
 * A text from outside as one segment of a path, raw because the upstream refuses percent-encoded ids. What could leave
 * its segment is answered as missing without asking. So is a plain word: every id holds a digit or an '@', and `voices`
 * or `available` would name another endpoint.
 *
 * @param what begins the failure's message, as in "The video was not found."
 */
export function rawSegment(text: string, what: string): string {
  if (!/^[\x21-\x7e]{1,512}$/.test(text) || /[/?#%\\]/.test(text) || !/[\d@]/.test(text)) {
    throw new NotFoundError(what);
  }
  return text;
}

/** `?email=a%2Bb%40c.d`, or nothing. Unlike paths, queries are encoded: a raw '+' would arrive as a space. */
export function queryText(query: Query = {}): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  return pairs.length > 0 ? `?${pairs.join('&')}` : '';
}
