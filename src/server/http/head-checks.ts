import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { acceptsResult, hasForeignCharset } from './negotiation.ts';
import { isForeignRequest, lacksPreflight, type OriginRules } from './origin.ts';
import { errorBody, foreignOriginBody, tokenInUrlBody } from './responses.ts';

/** Why a request to `/graphql` is rejected. */
export type HeadRejection = { status: number; body: object };

const contentTypes =
  'Send application/json in UTF-8, or multipart/form-data with a header such as x-csrf: 1.';

type HeadRules = { origins: OriginRules; hasGraphiql: boolean };

/** Checks the URL and headers before the body is read. Null: the request is accepted. */
export function checkHead(request: IncomingMessage, rules: HeadRules): HeadRejection | null {
  const { method, headers, url = '' } = request;
  const isPost = method === 'POST';
  const isRead = method === 'GET' || method === 'HEAD';
  const isPage = isRead && headers.accept?.includes('text/html') === true;
  if (isRead && isForeignRead(headers, { ...rules, isPage })) {
    return { status: 403, body: foreignOriginBody };
  }
  if (isPost && (lacksPreflight(headers) || hasForeignCharset(headers))) {
    return { status: 415, body: errorBody('UNSUPPORTED_CONTENT_TYPE', contentTypes) };
  }
  if (!isValidHost(headers.host)) {
    return { status: 400, body: errorBody('BAD_REQUEST', 'Invalid Host header.') };
  }
  if (hasToken(url)) return { status: 400, body: tokenInUrlBody };
  if ((isPost || isRead) && !isPage && !acceptsResult(headers)) {
    const message =
      'Accept application/json, application/graphql-response+json or text/event-stream.';
    return { status: 406, body: errorBody('NOT_ACCEPTABLE', message) };
  }
  return null;
}

function isForeignRead(
  headers: IncomingHttpHeaders,
  { origins, hasGraphiql, isPage }: HeadRules & { isPage: boolean },
): boolean {
  const isLink = isPage && hasGraphiql && isNavigation(headers);
  return !isLink && isForeignRequest(headers, origins);
}

/** A user followed a link to GraphiQL. The linking site can't read the page, so this is allowed from any site. */
function isNavigation(headers: IncomingHttpHeaders): boolean {
  return (
    headers.origin === undefined &&
    headers['sec-fetch-mode'] === 'navigate' &&
    headers['sec-fetch-dest'] === 'document'
  );
}

/** Yoga builds a URL from the Host header. Where that throws, its server adapter answers with the stack. */
function isValidHost(host: string | undefined): boolean {
  return host === undefined || URL.canParse(`http://${host}/`);
}

/** Query parameters that clients use for tokens. URLs are kept in logs, browser histories and referrers. */
const tokenParameters =
  /^(token|access_?token|id_?token|auth|authorization|bearer|jwt|api_?-?key|connection_?(init|params))$/i;

/** True if the query of the URL has a parameter for a token. */
export function hasToken(url: string): boolean {
  const search = new URLSearchParams(url.slice(url.indexOf('?') + 1));
  return url.includes('?') && search.keys().some((name) => tokenParameters.test(name));
}
