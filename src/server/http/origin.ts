import type { IncomingHttpHeaders } from 'node:http';

export type OriginRules = {
  /** Where we are reached, such as `https://lipsync.example`. */
  publicUrl: () => string;
  /** Origins whose pages may use the API. */
  corsOrigins: readonly string[];
};

const loopback = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;

/** Our own pages, and those of the configured origins. */
export function isKnownOrigin(headers: IncomingHttpHeaders, rules: OriginRules): boolean {
  const { origin, host } = headers;
  if (origin === undefined) return true;
  if (rules.corsOrigins.includes(origin)) return true;
  if (origin === new URL(rules.publicUrl()).origin) return true;
  // The Host header alone proves nothing (DNS rebinding), but a loopback name can't be rebound.
  return host !== undefined && loopback.test(host) && origin === `http://${host}`;
}

/** Whether a request that needs no preflight, or an upgrade, comes from a foreign page. */
export function isForeign(headers: IncomingHttpHeaders, rules: OriginRules): boolean {
  if (!isKnownOrigin(headers, rules)) return true;
  return headers.origin === undefined && headers['sec-fetch-site'] === 'cross-site';
}

/** Content types that a page can't send to another site without a preflight. */
const preflighted = /^application\/(json|graphql\+json)\s*(;|$)/i;
const csrfHeaders = [
  'x-csrf',
  'x-graphql-yoga-csrf',
  'graphql-require-preflight',
  'apollo-require-preflight',
  'x-requested-with',
];

/** Whether a POST could have been sent by a form of any page: then it is refused. */
export function mayBeForged(headers: IncomingHttpHeaders): boolean {
  const type = headers['content-type'] ?? '';
  if (preflighted.test(type)) return false;
  return !(
    /^multipart\/form-data\s*(;|$)/i.test(type) &&
    csrfHeaders.some((name) => headers[name] !== undefined)
  );
}
