import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { type Answer, Refusal, type Reply } from './responses.ts';
import type { JournalEntry } from '../storage/request-log.ts';

/** One request to the API on its way through the routes. */
export type Call = {
  request: IncomingMessage;
  response: ServerResponse;
  method: string;
  /** Below the API base, undecoded, without query and trailing slash: `/videos/user:1…`. */
  path: string;
  /** What stood in the place of `:id` or `:email` of the route, undecoded. */
  parameter: string;
  query: URLSearchParams;
  entry: JournalEntry;
};

const MAX_BODY_BYTES = 1024 * 1024;

/** The fields of a JSON or multipart body. In multipart every value is a string. Refuses anything else. */
export async function readFields(call: Call): Promise<Record<string, unknown>> {
  const type = call.request.headers['content-type'] ?? '';
  const body = await readBody(call.request);
  const fields = await parseFields(body, type);
  call.entry.body = hidePassword(fields);
  return fields;
}

async function parseFields(body: Buffer<ArrayBuffer>, type: string) {
  if (/^multipart\/form-data/i.test(type)) {
    const form = await new Response(body, { headers: { 'content-type': type } })
      .formData()
      .catch(() => null);
    if (!form) throw new Refusal(400, 'The multipart body can not be read.');
    return Object.fromEntries(form);
  }
  if (!/^application\/json/i.test(type)) {
    throw new Refusal(400, 'Content-Type must be application/json or multipart/form-data.');
  }
  return parseObject(body.toString('utf8'));
}

/** A JSON object, or a 400. */
export function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refusal(400, 'The body is not valid JSON.');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Refusal(400, 'The body is not a JSON object.');
  }
  return { ...value };
}

/** A small body whole; more than a megabyte is refused. */
export async function readBody(request: IncomingMessage): Promise<Buffer<ArrayBuffer>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new Refusal(400, 'The body is too large.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function hidePassword(fields: Record<string, unknown>): Record<string, unknown> {
  const secret = Object.keys(fields).filter((name) => name === 'password' || name === 'token');
  return { ...fields, ...Object.fromEntries(secret.map((name) => [name, '…secured…'])) };
}

/** Writes the answer, or does to the connection what was asked instead. */
export async function sendReply(response: ServerResponse, reply: Reply) {
  if (reply === 'sent' || reply === 'hang') return;
  if (reply === 'cut') {
    response.socket?.destroy();
    return;
  }
  if (reply.truncateAt !== undefined) return sendPart(response, reply, reply.truncateAt);
  const body = reply.body ?? '';
  const length = reply.status === 204 ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  response.writeHead(reply.status, { ...length, ...reply.headers });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

/** Promises the whole body, sends a part and cuts. */
async function sendPart(response: ServerResponse, answer: Answer, bytes: number) {
  const body = Buffer.from(answer.body ?? '');
  response.writeHead(answer.status, {
    'content-length': String(Math.max(body.length, bytes + 1)),
    ...answer.headers,
  });
  response.flushHeaders();
  await new Promise<void>((resolve) => response.write(body.subarray(0, bytes), () => resolve()));
  response.socket?.destroy();
}

/** Waits unless the client leaves or the sandbox closes first. */
export async function pause(ms: number | undefined, response: ServerResponse) {
  if (!ms) return;
  const left = new AbortController();
  const leave = () => left.abort();
  response.once('close', leave);
  await wait(ms, undefined, { signal: left.signal }).catch(() => undefined);
  response.off('close', leave);
}
