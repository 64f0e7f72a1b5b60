import type { IncomingHttpHeaders } from 'node:http';
import { LRUCache } from 'lru-cache';
import Negotiator from 'negotiator';

/** The media types of results: one result, or a stream of events. */
const resultTypes = ['application/json', 'application/graphql-response+json', 'text/event-stream'];

const pageType = 'text/html';

/** Apollo's multipart protocol for subscriptions. Without the parameter a client expects other parts. */
const multipartType = 'multipart/mixed';
const multipartRange =
  /^\s*multipart\/mixed\s*;(?:.*;)?\s*subscriptionspec\s*=\s*"?1\.0"?\s*(?:;|$)/i;

/**
 * The Accept header in the form that Yoga needs: the most preferred type first, without `q`, parameters and types with
 * q=0, because Yoga goes by the order alone. Types that this server does not send are removed too, and so is a
 * `multipart/mixed` that is not for subscriptions. A missing or empty header means any type; `none` if no type is left.
 */
export function normalizeAccept({ accept = '' }: IncomingHttpHeaders): string {
  const known = normalized.get(accept);
  if (known !== undefined) return known;
  const result = normalize(accept);
  normalized.set(accept, result);
  return result;
}

/** Clients of one kind send the same header. */
const normalized = new LRUCache<string, string>({
  max: 200,
  maxSize: 64_000,
  sizeCalculation: ({ length }, { length: given }) => length + given + 1,
});
const accepted = new LRUCache<string, boolean>({ max: 200 });

function normalize(accept: string): string {
  const header = accept.trim() === '' ? '*/*' : accept;
  const ranges = new Negotiator({ headers: { accept: header } }).mediaTypes();
  const hasMultipart = header.split(',').some((range) => multipartRange.test(range));
  const supported = ranges
    .filter((range) =>
      range === multipartType ? hasMultipart : includesAny(range, [...resultTypes, pageType]),
    )
    .flatMap((range) => (range.endsWith('/*') ? expandWildcard(range, header) : [range]));
  return supported.length === 0 ? 'none' : supported.join(', ');
}

/**
 * Our types that the wildcard stands for, if the header also names one of them: a type that is named has its own preference,
 * or is refused, whatever the wildcard says.
 */
function expandWildcard(wildcard: string, header: string): string[] {
  const named = header.split(',').map((range) => range.split(';')[0]?.trim().toLowerCase() ?? '');
  const matching = resultTypes.filter((type) => includesAny(wildcard, [type]));
  const others = matching.filter((type) => !named.includes(type));
  return others.length === matching.length ? [wildcard] : others;
}

/**
 * True if the client accepts a result of any of our types. Checked before the operation is executed, because executing
 * can cost money.
 *
 * @param headers with the normalized Accept
 */
export function acceptsResult({ accept }: IncomingHttpHeaders): boolean {
  if (accept === undefined) return true;
  const known = accepted.get(accept) ?? includesAny(accept, [...resultTypes, multipartType]);
  accepted.set(accept, known);
  return known;
}

function includesAny(accept: string, types: string[]): boolean {
  return new Negotiator({ headers: { accept } }).mediaTypes(types).length > 0;
}

/** True for a charset other than UTF-8. Decoded as UTF-8 such a text would be spoken wrong, and paid for. */
export function hasForeignCharset({ 'content-type': type = '' }: IncomingHttpHeaders): boolean {
  const [, charset = 'utf-8'] = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(type) ?? [];
  return !/^(utf-?8|us-ascii)$/i.test(charset);
}
