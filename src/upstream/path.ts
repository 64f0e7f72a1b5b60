import { NotFoundError } from '../errors.ts';

export type Query = Record<string, string | number | undefined>;

/**
 * Text from outside as one path segment. ASCII is not encoded because the upstream rejects percent-encoded ids; other
 * characters, which an e-mail can have, are, because a request line cannot contain them. Text that could leave its segment is
 * reported as not found without a request. So is text without a digit or '@', which every id has:
 * `voices` or `available` would address another endpoint.
 *
 * @param what begins the failure's message, as in "The video was not found."
 */
export function rawSegment(text: string, what: string): string {
  const isSegment = /^[^\p{C}\s/?#%\\]{1,512}$/u.test(text) && text.isWellFormed();
  if (!isSegment || !/[\d@]/.test(text)) throw new NotFoundError(what);
  return text.replaceAll(/[^\x21-\x7e]/gu, encodeURIComponent);
}

/** `?email=a%2Bb%40c.d`, or ''. Queries are encoded, unlike paths: a raw '+' would arrive as a space. */
export function queryText(query: Query = {}): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  return pairs.length > 0 ? `?${pairs.join('&')}` : '';
}

/** Every word in the upstream's paths. All other segments are ids or e-mail addresses. */
const pathWords = new Set([
  ...['accounts', 'available', 'features', 'files'],
  ...['lipsync', 'scheduler', 'videos', 'voices'],
]);

/** The path of an endpoint, such as `/videos/…`: ids can be written by a caller, and the query has e-mail addresses. */
export function pathForLog(path: string): string {
  const [plain = ''] = path.split('?');
  return plain.replace(/[^/]+/g, (segment) => (pathWords.has(segment) ? segment : '…'));
}
