import { signToken } from '../../src/callbacks/token.ts';
import { wavHeader } from '../support/wav.ts';
import { type HttpRequest, sendHttp } from './http.ts';
import type { Outcome } from './judge.ts';
import type { Caller, Plan, RequestKind } from './plans.ts';
import { type Pool, spoil } from './pool.ts';
import { talk } from './socket.ts';

/** The server and the credentials of its callers. */
export type Target = {
  url: string;
  pool: Pool;
  /** The Authorization header of each caller; null sends none. */
  authorization: Readonly<Record<Caller, string | null>>;
  /** The callback secrets of the server. */
  secrets: readonly string[];
};

/** Executes a plan with ids and URLs that the server has returned so far. */
export async function execute(target: Target, plan: Plan): Promise<Outcome> {
  const outcome = await outcomeOf(target, plan);
  target.pool.learn(outcome.text.replaceAll('\\"', '"'));
  return outcome;
}

function outcomeOf(target: Target, plan: Plan): Promise<Outcome> {
  switch (plan.kind) {
    case 'messages': {
      const messages = plan.messages.map((message) => target.pool.fill(message));
      return talk(target.url, { init: plan.init, protocol: plan.protocol, messages });
    }
    case 'callback':
    case 'upload':
    case 'path':
      return sendHttp(target.url, tokenRequest(target, plan));
    case 'socket': {
      const authorization = target.authorization[plan.caller];
      const payload = JSON.parse(bodyOf(target, plan.envelope.body)) as unknown;
      const message = JSON.stringify({ id: '1', type: 'subscribe', payload });
      const init = authorization === null ? {} : { authorization };
      return talk(target.url, { init, protocol: 'graphql-transport-ws', messages: [message] });
    }
    default:
      return sendHttp(target.url, requestOf(target, plan));
  }
}

type OperationPlan = Extract<Plan, { kind: RequestKind }>;

function bodyOf({ pool }: Target, body: unknown): string {
  return pool.fill(JSON.stringify(body) ?? 'null');
}

function requestOf(
  target: Target,
  { kind, caller, envelope, headers, map }: OperationPlan,
): HttpRequest {
  const authorization = target.authorization[caller];
  const body = bodyOf(target, envelope.body);
  const all = { ...(authorization === null ? {} : { authorization }), ...headers };
  const json = { 'content-type': 'application/json', ...all };
  if (kind === 'get') return { method: 'GET', path: `/graphql?${searchOf(body)}`, headers: all };
  if (kind === 'multipart') return multipart({ body, map }, all);
  const headersOfKind = kind === 'sse' ? { accept: 'text/event-stream', ...json } : json;
  return { method: 'POST', path: '/graphql', headers: headersOfKind, body };
}

function searchOf(body: string): URLSearchParams {
  const fields: unknown = JSON.parse(body);
  const entries = Object.entries(
    typeof fields === 'object' && fields !== null ? fields : { query: fields },
  );
  return new URLSearchParams(
    entries.map(([name, value]): [string, string] => [
      name,
      typeof value === 'string' ? value : (JSON.stringify(value) ?? ''),
    ]),
  );
}

/** The operation as the first part of a multipart request, with a file for one of its variables. */
function multipart(
  { body, map }: { body: string; map: unknown },
  headers: Record<string, string>,
): HttpRequest {
  const boundary = 'fuzz-boundary';
  const parts = [
    `name="operations"\r\n\r\n${body}`,
    `name="map"\r\n\r\n${JSON.stringify(map)}`,
    `name="0"; filename="a.wav"\r\ncontent-type: audio/wav\r\n\r\n${sound(400).toString('latin1')}`,
  ];
  const text = parts
    .map((part) => `--${boundary}\r\ncontent-disposition: form-data; ${part}\r\n`)
    .join('');
  return {
    method: 'POST',
    path: '/graphql',
    headers: {
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'x-csrf': '1',
      ...headers,
    },
    body: Buffer.from(`${text}--${boundary}--\r\n`, 'latin1'),
  };
}

type TokenRequest = Extract<Plan, { kind: 'callback' | 'upload' | 'path' }>;

function tokenRequest(target: Target, { kind, method, token, body }: TokenRequest): HttpRequest {
  const given =
    kind === 'upload' ? uploadToken(target, token.number) : callbackToken(target, token.number);
  const spelled = { given, spoilt: spoil(given, token.number), rubbish: token.text }[token.from];
  const prefix = { callback: '/callbacks/', upload: '/uploads/', path: '/' }[kind];
  // Node refuses to send other characters in a path.
  const path = `${prefix}${spelled}`.replace(/[^\x21-\x7e]/g, '');
  const front = kind === 'upload' && body.soundBytes > 0 ? sound(body.soundBytes) : Buffer.alloc(0);
  const whole = Buffer.concat([front, Buffer.from(body.text)]);
  const isBodiless = ['GET', 'HEAD', 'OPTIONS', 'TRACE'].includes(method);
  // A body shorter than its content-length is a client that stops sending.
  const isShort = Number(body.headers['content-length'] ?? whole.length) !== whole.length;
  return {
    method,
    path,
    headers: body.headers,
    body: isBodiless ? undefined : whole,
    leavesEarly: body.leavesEarly || isShort,
  };
}

function uploadToken({ pool }: Target, number: number): string {
  // The newest URLs still wait for their file.
  const url =
    pool.uploadUrls.at(-1 - (number % Math.max(1, pool.uploadUrls.length))) ?? '/none-yet';
  return url.split('/').at(-1) ?? '';
}

function callbackToken({ pool, secrets }: Target, number: number): string {
  const id = Buffer.from(pool.fill(`«Lipsync:${number}»`), 'base64url')
    .toString('latin1')
    .split(':')[1];
  return signToken(secrets, {
    purpose: 'callback',
    id: /^[\w-]+$/.test(id ?? '') ? String(id) : 'x',
  });
}

function sound(bytes: number): Buffer {
  return Buffer.concat([wavHeader(bytes), Buffer.alloc(bytes)]);
}
