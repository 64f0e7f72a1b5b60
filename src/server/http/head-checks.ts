import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { isInOtherCharset, takesAnswer } from './negotiation.ts';
import { isForeign, mayBeForged, type OriginRules } from './origin.ts';
import { foreignOrigin, refusal, tokenInUrl } from './responses.ts';
import { hasToken } from './url-token.ts';

/** Why a request to `/graphql` and below it goes no further. */
export type Refused = { status: number; body: object };

const contentTypes =
  'Send application/json in UTF-8, or multipart/form-data with a header such as x-csrf: 1.';

type Rules = { origins: OriginRules; hasGraphiql: boolean };

/** What is told by a request's head alone, before anything of it is read. */
export function refuseByHead(request: IncomingMessage, rules: Rules): Refused | null {
  const { method, headers, url = '' } = request;
  const isPost = method === 'POST';
  const isRead = method === 'GET' || method === 'HEAD';
  const isPage = isRead && headers.accept?.includes('text/html') === true;
  if (isRead && isForeignRead(headers, { ...rules, isPage })) {
    return { status: 403, body: foreignOrigin };
  }
  if (isPost && (mayBeForged(headers) || isInOtherCharset(headers))) {
    return refused(415, 'UNSUPPORTED_CONTENT_TYPE', contentTypes);
  }
  if (!isHost(headers.host)) return refused(400, 'BAD_REQUEST', 'This is no name of a host.');
  if (hasToken(url)) return { status: 400, body: tokenInUrl };
  return (isPost || isRead) && !isPage && !takesAnswer(headers)
    ? refused(406, 'NOT_ACCEPTABLE', 'An operation is answered as JSON or as text/event-stream.')
    : null;
}

function isForeignRead(
  headers: IncomingHttpHeaders,
  { origins, hasGraphiql, isPage }: Rules & { isPage: boolean },
): boolean {
  const isLink = isPage && hasGraphiql && isNavigation(headers);
  return !isLink && isForeign(headers, origins);
}

/** Somebody followed a link to GraphiQL, which the other site can't look into. */
function isNavigation(headers: IncomingHttpHeaders): boolean {
  return (
    headers.origin === undefined &&
    headers['sec-fetch-mode'] === 'navigate' &&
    headers['sec-fetch-dest'] === 'document'
  );
}

function refused(status: number, code: string, message: string): Refused {
  return { status, body: refusal(code, message) };
}

/** Yoga makes a URL with it; where that fails, the server adapter below Yoga answers with the stack. */
function isHost(host: string | undefined): boolean {
  return host === undefined || URL.canParse(`http://${host}/`);
}
