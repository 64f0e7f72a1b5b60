import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

export type OriginRules = {
  /** The public URL of this server, such as `https://lipsync.example`. */
  publicUrl: () => string;
  /** Origins of other sites with access to the API. */
  corsOrigins: readonly string[];
  /** Sandbox: pages from any port of this machine have access too, such as a frontend on its development server. */
  allowsLoopbackOrigins: boolean;
};

const loopbackHost = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;

/** True for our own pages, for those of allowed origins, and for requests without an Origin header. */
export function isAllowedOrigin(headers: IncomingHttpHeaders, rules: OriginRules): boolean {
  const { origin, host } = headers;
  if (origin === undefined) return true;
  if (rules.corsOrigins.includes(origin)) return true;
  if (origin === new URL(rules.publicUrl()).origin) return true;
  if (rules.allowsLoopbackOrigins && isLoopbackOrigin(origin)) return true;
  // The Host header alone proves nothing (DNS rebinding), but a loopback name can't be rebound.
  return host !== undefined && loopbackHost.test(host) && origin === `http://${host}`;
}

function isLoopbackOrigin(origin: string): boolean {
  const [, host] = /^https?:\/\/(.+)$/.exec(origin) ?? [];
  return host !== undefined && loopbackHost.test(host);
}

/**
 * True if a page of a foreign site sent the request. Checked on every method and endpoint: a browser sends some of them
 * without a preflight, and executing one has effects even if the page can't read the response.
 */
export function isForeignRequest(headers: IncomingHttpHeaders, rules: OriginRules): boolean {
  if (!isAllowedOrigin(headers, rules)) return true;
  return headers.origin === undefined && headers['sec-fetch-site'] === 'cross-site';
}

/**
 * A user followed a link to a page of this server. The linking site can't read the page, so this is allowed from any site.
 */
export function isNavigation({
  method,
  headers,
}: Pick<IncomingMessage, 'method' | 'headers'>): boolean {
  return (
    (method === 'GET' || method === 'HEAD') &&
    headers.origin === undefined &&
    headers['sec-fetch-mode'] === 'navigate' &&
    headers['sec-fetch-dest'] === 'document' &&
    headers.accept?.includes('text/html') === true
  );
}

/**
 * A browser follows a link, or a page shows the video. Neither reveals anything to the page that a link would not, so that
 * this is allowed from any site.
 */
export function isResultLink({
  method,
  url = '',
  headers,
}: Pick<IncomingMessage, 'method' | 'url' | 'headers'>): boolean {
  return (
    (method === 'GET' || method === 'HEAD') &&
    url.startsWith('/results/') &&
    headers.origin === undefined &&
    /^(navigate|no-cors)$/.test(headers['sec-fetch-mode'] ?? '')
  );
}

/** Content types that a page can't send to another site without a preflight. */
const preflightedTypes = /^application\/(json|graphql\+json)\s*(;|$)/i;

/** Any of these headers forces a preflight too. Each is what some client or server of GraphQL already uses. */
export const csrfHeaders = [
  'x-csrf',
  'x-graphql-yoga-csrf',
  'graphql-preflight',
  'graphql-require-preflight',
  'apollo-require-preflight',
  'x-apollo-operation-name',
  'x-requested-with',
];

/** True for a POST that a browser sends to any site without asking it first, as a form does: such a POST is rejected. */
export function lacksPreflight(headers: IncomingHttpHeaders): boolean {
  const type = headers['content-type'] ?? '';
  if (preflightedTypes.test(type)) return false;
  return !(
    /^multipart\/form-data\s*(;|$)/i.test(type) &&
    csrfHeaders.some((name) => headers[name] !== undefined)
  );
}
