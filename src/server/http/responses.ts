import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { refuse } from '../operation/request-error.ts';
import { tooLarge } from '../operation/request-params.ts';

/** What every answer carries, on every door. */
const protection: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  // Of an answer that a browser should take for a page; the one page that there is brings its own.
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-site',
  'cache-control': 'no-store',
};

/** Closing at once would reset the connection, and the client would never read why. */
const farewellMs = 1_000;

const jsonType = 'application/json; charset=utf-8';

export function protect(response: ServerResponse): void {
  for (const [name, value] of Object.entries(protection)) response.setHeader(name, value);
}

export function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': jsonType }).end(JSON.stringify(body));
}

export function refusal(code: string, message: string): object {
  return { errors: [{ message, extensions: { code } }] };
}

/** The same on a connection that has no response: for what is no request, and for refused upgrades. It ends there. */
export function answerSocket(
  socket: Duplex,
  told: { status: number; body: object; headers?: Record<string, string> },
): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const text = JSON.stringify(told.body);
  const headers = {
    connection: 'close',
    ...protection,
    'content-type': jsonType,
    'content-length': `${Buffer.byteLength(text)}`,
    ...told.headers,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const first = `HTTP/1.1 ${told.status} ${STATUS_CODES[told.status]}`;
  socket.end([first, ...lines, '', text].join('\r\n'));
  // Whoever keeps its own half open would keep ours too.
  const timer = setTimeout(() => socket.destroy(), farewellMs);
  socket.once('close', () => clearTimeout(timer));
}

export const nothingHere = { code: 'NOT_FOUND', message: 'There is nothing here.' };
export const foreignOrigin = refusal('FOREIGN_ORIGIN', 'Pages of other sites may not ask this.');
export const tokenInUrl = refusal(
  'TOKEN_IN_URL',
  'Send a token in a header: logs and histories keep what is in a URL.',
);

const late = refusal('REQUEST_TIMEOUT', 'The request did not arrive in time.');

/** What Node's parser refuses is no request yet; where a URL is too long, its sender learns it as on other doors. */
export function answerUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    answerSocket(socket, { status: 408, body: late });
  } else if (error.code === 'HPE_HEADER_OVERFLOW') {
    answerSocket(socket, { status: 431, body: { errors: [tooLarge()] } });
  } else {
    const refused = refuse('BAD_REQUEST', 'This is no HTTP request.');
    answerSocket(socket, { status: 400, body: { errors: [refused] } });
  }
}

export function answerLate(response: ServerResponse): void {
  response.setHeader('connection', 'close');
  answer(response, 408, late);
}
