import type { GraphQLError } from 'graphql';
import { type Message, MessageType } from 'graphql-ws';
import { jsonToken, scanJson } from '../operation/json-scan.ts';
import { maxRequestBytes, requestTooLargeError } from '../operation/request-params.ts';
import type { TrustedDocuments } from '../operation/trusted-documents.ts';
import { checkJsonValues } from '../operation/value-limits.ts';
import { addEmptyQuery, rejectedPayload } from './operation.ts';

/**
 * Up to this size a message that is too large gets the same error as on the other transports. Above it the socket closes
 * with 1009, because that is the only way not to read the message.
 */
export const maxMessageBytes = 2 * maxRequestBytes;

/**
 * Every message but `subscribe` is at most this large, so that is all a client can send before it was admitted. The same as Node's
 * limit for the headers of a request: `connection_init` contains a token and little more.
 */
export const maxControlBytes = 16_384;

/** Levels of a `subscribe` message around its variables: the message and the payload. */
const envelopeDepth = 2;

/** Message types that only a server sends. graphql-ws would close with 4500, as for an error of its own. */
const serverTypes: readonly unknown[] = ['connection_ack', 'next', 'error'];

export type DecodedMessage = { message: Message } | { closeCode: number; reason: string };

const tooLarge = { closeCode: 1009, reason: 'Message too large' };
const invalid = { closeCode: 4400, reason: 'Invalid message received' };

/**
 * Parses a message. Its size, depth and number of values are checked before that, because parsing a large message blocks the
 * process for everyone. A `subscribe` message above a limit keeps its id, so that it gets a typed error.
 */
export function decodeMessage(
  bytes: Buffer,
  { isAdmitted, documents }: { isAdmitted: boolean; documents: TrustedDocuments },
): DecodedMessage {
  const isLarge = bytes.byteLength > maxControlBytes;
  if (isLarge && !isAdmitted) return tooLarge;
  const rejection = checkMessage(bytes);
  if (rejection === undefined && !isLarge) return parseMessage(bytes, documents);
  const { type, id } = readEnvelope(bytes);
  if (type !== 'subscribe' || typeof id !== 'string') return isLarge ? tooLarge : invalid;
  if (rejection === undefined) return parseMessage(bytes, documents);
  return { message: { id, type: MessageType.Subscribe, payload: rejectedPayload(rejection) } };
}

function checkMessage(bytes: Buffer): GraphQLError | undefined {
  if (bytes.byteLength > maxRequestBytes) return requestTooLargeError();
  return checkJsonValues(bytes, envelopeDepth);
}

function parseMessage(bytes: Buffer, documents: TrustedDocuments): DecodedMessage {
  const message = parseObject(bytes.toString('utf8'));
  if (message === null || serverTypes.includes(message.type)) return invalid;
  if (message.type === 'subscribe') message.payload = addEmptyQuery(message.payload, documents);
  // graphql-ws checks the rest.
  return { message: message as unknown as Message };
}

/** The fields of a message, with null for each list and object in them: the payload is not parsed. */
function readEnvelope(bytes: Buffer): { type?: unknown; id?: unknown } {
  const pieces: string[] = [];
  let depth = 0;
  let outsideSince = 0;
  let length = 0;
  scanJson(bytes, (token, at) => {
    const change = depthChanges[token] ?? 0;
    if (change === 0) return false;
    depth += change;
    if (depth === 2 && change === 1) {
      pieces.push(bytes.toString('utf8', outsideSince, at), 'null');
      length += at - outsideSince;
    }
    if (depth === 1 && change === -1) outsideSince = at + 1;
    return length > maxControlBytes;
  });
  if (length + bytes.length - outsideSince > maxControlBytes) return {};
  return parseObject([...pieces, bytes.toString('utf8', outsideSince)].join('')) ?? {};
}

/** By the byte of the token. An array, because a message can have a million tokens. */
const depthChanges = new Int8Array(128);
for (const token of [jsonToken.openList, jsonToken.openObject]) depthChanges[token] = 1;
for (const token of [jsonToken.closeList, jsonToken.closeObject]) depthChanges[token] = -1;

/** Null for a text that is not JSON, or not an object. */
function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
