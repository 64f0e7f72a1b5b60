import type { LipsyncErrorCode, LipsyncStatus } from '../operations.ts';

/** The body of a webhook. Later versions of the server can add types. */
export type LipsyncWebhook = {
  type:
    | 'lipsync.submitted'
    | 'lipsync.generating'
    | 'lipsync.completed'
    | 'lipsync.failed'
    | 'lipsync.moderated'
    | 'lipsync.cancelled'
    | 'lipsync.expired';
  /** When the event happened. */
  timestamp: string;
  data: {
    /** The id of the lip-sync. */
    id: string;
    reference: string | null;
    status: LipsyncStatus;
    /** The event's number in the log of the lip-sync. Webhooks may arrive out of order: this is the order. */
    sequence: number;
    /** For COMPLETED, else null. */
    result: { url: string; durationSeconds: number | null } | null;
    failure: { code: LipsyncErrorCode; message: string; retryable: boolean } | null;
  };
};

/** `id`: the same in every attempt of a delivery, to ignore repetitions. */
export type VerifiedWebhook = LipsyncWebhook & { id: string };

/** The request as other servers than fetch-based ones have it. `body`: the raw bytes, before anything parses them. */
export type WebhookRequest = {
  headers: Record<string, string | readonly string[] | undefined> | Headers;
  body: string | Uint8Array;
};

export type WebhookProblem =
  /** A header is missing, or it has not the form of Standard Webhooks. */
  | 'INVALID_HEADERS'
  /** It was sent more than `toleranceSeconds` ago, or a clock is wrong. */
  | 'TIMESTAMP_TOO_FAR'
  /** No signature was made with one of the secrets: a stranger's request, another secret, or a changed body. */
  | 'WRONG_SIGNATURE'
  /** The signature is right, and the body is not one of a webhook. */
  | 'INVALID_BODY';

/** The request is no webhook of the server. Answer it with status 401 or 400. */
export class WebhookVerificationError extends Error {
  override readonly name = 'WebhookVerificationError';
  readonly code: WebhookProblem;

  constructor(code: WebhookProblem, message: string) {
    super(message);
    this.code = code;
  }
}

export type VerifyWebhookOptions = {
  /** How far the time of sending may be from now. Default 300, as Standard Webhooks recommends. */
  toleranceSeconds?: number | undefined;
};

/**
 * Verifies the signature and the time of a webhook, by the rules of Standard Webhooks, and returns its event. It needs
 * Web Crypto: Node 20 and later, edge runtimes, Deno and Bun have it.
 *
 * @param secrets what `rotateWebhookSecret` answered; several while a secret is being replaced
 * @throws WebhookVerificationError, or TypeError for a secret that is none
 */
export async function verifyWebhook(
  request: Request | WebhookRequest,
  secrets: string | readonly string[],
  { toleranceSeconds = 300 }: VerifyWebhookOptions = {},
): Promise<VerifiedWebhook> {
  const keys = await Promise.all([secrets].flat().map(importKey));
  const { id, timestamp, signatures } = readHeaders(request.headers);
  const ageSeconds = Math.abs(Date.now() / 1_000 - Number(timestamp));
  if (!(ageSeconds <= toleranceSeconds)) {
    throw new WebhookVerificationError(
      'TIMESTAMP_TOO_FAR',
      `The webhook was not sent in the last ${toleranceSeconds} seconds.`,
    );
  }
  const body = await readBody(request);
  const signed = concat(new TextEncoder().encode(`${id}.${timestamp}.`), body);
  // `crypto.subtle.verify` compares in constant time. Every pair is verified, whichever is right.
  const pairs = keys.flatMap((key) => signatures.map((signature) => ({ key, signature })));
  const verdicts = await Promise.all(
    pairs.map(({ key, signature }) => crypto.subtle.verify('HMAC', key, signature, signed)),
  );
  if (!verdicts.includes(true)) {
    throw new WebhookVerificationError('WRONG_SIGNATURE', 'No signature of the webhook is right.');
  }
  return { ...parseEvent(body), id };
}

function importKey(secret: string): Promise<CryptoKey> {
  const bytes = decodeBase64(secret.replace(/^whsec_/, ''));
  if (bytes === null || bytes.length === 0) {
    throw new TypeError(
      'A webhook secret is whsec_ and Base64, as rotateWebhookSecret answers it.',
    );
  }
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  return crypto.subtle.importKey('raw', bytes, algorithm, false, ['verify']);
}

function readHeaders(headers: WebhookRequest['headers']) {
  const read = (name: string): string => {
    const value = headers instanceof Headers ? headers.get(name) : headers[name];
    if (typeof value === 'string' && value !== '') return value;
    throw new WebhookVerificationError('INVALID_HEADERS', `The header ${name} is missing.`);
  };
  const timestamp = read('webhook-timestamp');
  if (!/^\d+$/.test(timestamp)) {
    throw new WebhookVerificationError('INVALID_HEADERS', 'webhook-timestamp is no number.');
  }
  const signatures = read('webhook-signature')
    .split(' ')
    .filter((each) => each.startsWith('v1,'))
    .flatMap((each) => decodeBase64(each.slice('v1,'.length)) ?? []);
  return { id: read('webhook-id'), timestamp, signatures };
}

async function readBody(request: Request | WebhookRequest): Promise<Uint8Array<ArrayBuffer>> {
  if (request instanceof Request) return new Uint8Array(await request.arrayBuffer());
  const { body } = request;
  return typeof body === 'string' ? new TextEncoder().encode(body) : new Uint8Array(body);
}

function parseEvent(body: Uint8Array): LipsyncWebhook {
  try {
    const event = JSON.parse(new TextDecoder().decode(body)) as LipsyncWebhook;
    if (typeof event.type === 'string' && typeof event.data.id === 'string') return event;
  } catch {
    // The error would show a part of the body.
  }
  throw new WebhookVerificationError('INVALID_BODY', 'The body is not one of a webhook.');
}

function decodeBase64(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}
