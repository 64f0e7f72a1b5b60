import type { IncomingMessage } from 'node:http';
import { isInOtherCharset, takesAnswer } from './media-types.ts';
import { isForeign, mayBeForged, type OriginRules } from './origin.ts';
import { foreignOrigin, refusal, tokenInUrl } from './protect.ts';
import { hasToken } from './url-token.ts';

/** Why a request to `/graphql` and below it goes no further. */
export type Refused = { status: number; body: object };

const contentTypes =
  'Send application/json in UTF-8, or multipart/form-data with a header such as x-csrf: 1.';

/** What is told by a request's head alone, before anything of it is read. */
export function refuseByHead(request: IncomingMessage, origins: OriginRules): Refused | null {
  const { method, headers, url = '' } = request;
  const isPost = method === 'POST';
  const isRead = method === 'GET' || method === 'HEAD';
  if (isRead && isForeign(headers, origins)) {
    return { status: 403, body: foreignOrigin };
  }
  if (isPost && (mayBeForged(headers) || isInOtherCharset(headers))) {
    return refused(415, 'UNSUPPORTED_CONTENT_TYPE', contentTypes);
  }
  if (!isHost(headers.host)) return refused(400, 'BAD_REQUEST', 'This is no name of a host.');
  if (hasToken(url)) return { status: 400, body: tokenInUrl };
  const isPage = isRead && headers.accept?.includes('text/html') === true;
  return (isPost || isRead) && !isPage && !takesAnswer(headers)
    ? refused(406, 'NOT_ACCEPTABLE', 'An operation is answered as JSON or as text/event-stream.')
    : null;
}

function refused(status: number, code: string, message: string): Refused {
  return { status, body: refusal(code, message) };
}

/** Yoga makes a URL with it; where that fails, the server adapter below Yoga answers with the stack. */
function isHost(host: string | undefined): boolean {
  return host === undefined || URL.canParse(`http://${host}/`);
}
