import type { LipsyncErrorCode, LipsyncStatus } from '../operations.ts';

/** The body of a webhook. Later versions of the server can add types. */
export type LipsyncWebhook = {
  /** What happened to the lip-sync. The last five are its end. */
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
  /** The lip-sync as it was at the event. */
  data: {
    /** The id of the lip-sync. */
    id: string;
    /** The `reference` of the input. */
    reference: string | null;
    status: LipsyncStatus;
    /** The event's number in the log of the lip-sync. Webhooks may arrive out of order: this is the order. */
    sequence: number;
    /** For COMPLETED, else null. */
    result: { url: string; durationSeconds: number | null } | null;
    /** For FAILED and MODERATED, else null. */
    failure: { code: LipsyncErrorCode; message: string; retryable: boolean } | null;
  };
};

/** What `verifyWebhook` returns: the body, and the `id` of the delivery. */
export type VerifiedWebhook = LipsyncWebhook & {
  /** The same in every attempt of a delivery: use it to ignore repetitions. */
  id: string;
};

/** The request as servers have it that are not fetch-based, such as Express or a function of AWS Lambda. */
export type WebhookRequest = {
  /** Names in upper or lower case. */
  headers: Record<string, string | readonly string[] | undefined> | Headers;
  /** The raw body, as a text or as bytes, before a JSON parser has read it. In Express, that of `express.raw`. */
  body: string | Uint8Array;
};

/** Why a request was rejected. */
export type WebhookProblem =
  /** A header is missing, or does not have the format of Standard Webhooks. */
  | 'INVALID_HEADERS'
  /** It was sent more than `toleranceSeconds` ago, or a clock is wrong. */
  | 'TIMESTAMP_TOO_FAR'
  /** No signature was made with one of the secrets: a stranger's request, another secret, or a changed body. */
  | 'WRONG_SIGNATURE'
  /** The signature is right, and the body is not one of a webhook. */
  | 'INVALID_BODY';

/** The request is not a webhook of the server. Answer it with status 401 or 400. */
export class WebhookVerificationError extends Error {
  override readonly name = 'WebhookVerificationError';
  /** Why. Log it, and do not send it to the client: a stranger needs no hints. */
  readonly code: WebhookProblem;

  constructor(code: WebhookProblem, message: string) {
    super(message);
    this.code = code;
  }
}

/** Options of `verifyWebhook`. */
export type VerifyWebhookOptions = {
  /** How far the time of sending may be from now. Default 300, as Standard Webhooks recommends. */
  toleranceSeconds?: number | undefined;
};

/**
 * Verifies the signature and the time of a webhook, by the rules of Standard Webhooks, and returns its event. It needs
 * Web Crypto: Node 20 and later, edge runtimes, Deno and Bun have it.
 *
 * @param secrets what `rotateWebhookSecret` answered; several while a secret is being replaced
 * @throws WebhookVerificationError, or TypeError for an invalid secret or a body that was parsed
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
  // `crypto.subtle.verify` compares in constant time. Every pair is verified, so that the time does not show which one
  // matches.
  const pairs = keys.flatMap((key) => signatures.map((signature) => ({ key, signature })));
  const verdicts = await Promise.all(
    pairs.map(({ key, signature }) => crypto.subtle.verify('HMAC', key, signature, signed)),
  );
  if (!verdicts.includes(true)) {
    throw new WebhookVerificationError(
      'WRONG_SIGNATURE',
      'No signature of the webhook is valid: another secret, or a body that was changed.',
    );
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
    const value = findHeader(headers, name);
    if (typeof value === 'string' && value !== '') return value;
    throw new WebhookVerificationError('INVALID_HEADERS', `The header ${name} is missing.`);
  };
  const timestamp = read('webhook-timestamp');
  if (!/^\d+$/.test(timestamp)) {
    throw new WebhookVerificationError(
      'INVALID_HEADERS',
      'The header webhook-timestamp is not a number.',
    );
  }
  const signatures = read('webhook-signature')
    .split(' ')
    .filter((each) => each.startsWith('v1,'))
    .flatMap((each) => decodeBase64(each.slice('v1,'.length)) ?? []);
  return { id: read('webhook-id'), timestamp, signatures };
}

/** Servers write the names in lower case, and AWS API Gateway as they were sent; it can put each value into a list. */
function findHeader(headers: WebhookRequest['headers'], name: string): unknown {
  if (isFetchHeaders(headers)) return headers.get(name);
  const found = Object.entries(headers).find(([each]) => each.toLowerCase() === name)?.[1];
  return typeof found === 'object' && found.length === 1 ? found[0] : found;
}

/** By its methods, because frameworks and test environments have classes of their own. */
function isFetchHeaders(headers: WebhookRequest['headers']): headers is Headers {
  return typeof headers.get === 'function';
}

function isFetchRequest(request: Request | WebhookRequest): request is Request {
  return 'arrayBuffer' in request;
}

async function readBody(request: Request | WebhookRequest): Promise<Uint8Array<ArrayBuffer>> {
  if (isFetchRequest(request)) return new Uint8Array(await request.arrayBuffer());
  const { body } = request;
  if (typeof body === 'string') return new TextEncoder().encode(body);
  if (ArrayBuffer.isView(body)) return new Uint8Array(body);
  // `request.body` of Express has no type, so that the compiler does not notice.
  throw new TypeError(
    'Pass the raw body, as a string or as bytes: the signature is of what was sent, and not of what a parser made of it.',
  );
}

function parseEvent(body: Uint8Array): LipsyncWebhook {
  try {
    const event = JSON.parse(new TextDecoder().decode(body)) as LipsyncWebhook;
    if (typeof event.type === 'string' && typeof event.data.id === 'string') return event;
  } catch {
    // The error would show a part of the body.
  }
  throw new WebhookVerificationError('INVALID_BODY', 'The body is not that of a webhook.');
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
