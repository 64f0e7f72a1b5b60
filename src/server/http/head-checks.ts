import type { IncomingMessage } from 'node:http';
import { type HostRules, isAllowedHost, isValidHost, normalizeTarget } from './host.ts';
import { acceptsResult, hasForeignCharset } from './negotiation.ts';
import {
  isForeignRequest,
  isNavigation,
  isResultLink,
  lacksPreflight,
  type OriginRules,
} from './origin.ts';
import { errorBody, foreignOriginBody, tokenInUrlBody } from './responses.ts';

/** Why a request is rejected. */
export type HeadRejection = { status: number; body: object };

const contentTypes =
  'Send application/json in UTF-8, or multipart/form-data with a header such as x-csrf: 1.';

export type SenderRules = { origins: OriginRules; hosts: HostRules; hasGraphiql: boolean };

/**
 * Checks what every request and upgrade must satisfy, on any path: a valid `Host` that is a name of this server, and no
 * foreign page as the sender. Null: the request is accepted. Changes a target in absolute form to its path.
 */
export function checkSender(request: IncomingMessage, rules: SenderRules): HeadRejection | null {
  if (!normalizeTarget(request)) {
    return { status: 400, body: errorBody('BAD_REQUEST', 'Invalid request target.') };
  }
  const { headers, httpVersion } = request;
  if (headers.host === undefined && httpVersion !== '1.0') {
    return { status: 400, body: errorBody('BAD_REQUEST', 'The Host header is missing.') };
  }
  if (hasSeveral('host', request) || !isValidHost(headers.host)) {
    return { status: 400, body: errorBody('BAD_REQUEST', 'Invalid Host header.') };
  }
  // A proxy in front may have checked a header that Node ignores.
  if (hasSeveral('authorization', request)) {
    return { status: 400, body: errorBody('BAD_REQUEST', 'Invalid Authorization header.') };
  }
  const isLink = rules.hasGraphiql && isPagePath(request.url) && isNavigation(request);
  if (!isLink && !isResultLink(request) && isForeignRequest(headers, rules.origins)) {
    return { status: 403, body: foreignOriginBody };
  }
  if (!isAllowedHost(headers.host, rules.hosts)) {
    const message = 'This server does not have that name. Add it to ALLOWED_HOSTS.';
    return { status: 421, body: errorBody('UNKNOWN_HOST', message) };
  }
  return null;
}

/** Node keeps only the first of several in `headers`. */
function hasSeveral(header: string, { rawHeaders }: IncomingMessage): boolean {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length === header.length && name.toLowerCase() === header) count += 1;
  }
  return count > 1;
}

/** The paths of GraphiQL. */
function isPagePath(url = '/'): boolean {
  return /^\/(graphql\/?)?(\?|$)/.test(url);
}

/** Checks the URL and headers of a GET or POST to `/graphql` before the body is read. Null: the request is accepted. */
export function checkHead(request: IncomingMessage, hasGraphiql: boolean): HeadRejection | null {
  const { method, headers, url = '' } = request;
  const isPost = method === 'POST';
  const isPage = hasGraphiql && !isPost && headers.accept?.includes('text/html') === true;
  if (isPost && (lacksPreflight(headers) || hasForeignCharset(headers))) {
    return { status: 415, body: errorBody('UNSUPPORTED_CONTENT_TYPE', contentTypes) };
  }
  if (hasToken(url)) return { status: 400, body: tokenInUrlBody };
  if (!isPage && !acceptsResult(headers)) {
    const message =
      'Accept application/json, application/graphql-response+json or text/event-stream.';
    return { status: 406, body: errorBody('NOT_ACCEPTABLE', message) };
  }
  return null;
}

/** Query parameters that clients use for tokens. URLs are stored in logs, browser histories and referrers. */
const tokenParameters =
  /^(token|access_?token|id_?token|auth|authorization|bearer|jwt|api_?-?key|connection_?(init|params))$/i;

/** True if the query of the URL has a parameter for a token. */
export function hasToken(url: string): boolean {
  const at = url.indexOf('?');
  return (
    at >= 0 &&
    new URLSearchParams(url.slice(at + 1)).keys().some((name) => tokenParameters.test(name))
  );
}
