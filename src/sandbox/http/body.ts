import type { IncomingMessage } from 'node:http';
import { ApiError } from '../api-error.ts';
import type { SandboxContext } from './context.ts';

const MAX_BODY_BYTES = 1024 * 1024;
const secretFields = ['password', 'token'];

/** The fields of a JSON or multipart body, where every multipart value is a string. Adds them to the request log. */
export async function readFields(c: SandboxContext): Promise<Record<string, unknown>> {
  const type = c.req.header('content-type') ?? '';
  const body = await readBody(c.env.incoming);
  const fields = await parseFields(body, type);
  const secrets = secretFields.filter((name) => name in fields);
  const hidden = Object.fromEntries(secrets.map((name) => [name, '…secured…']));
  c.get('logged').body = { ...fields, ...hidden };
  return fields;
}

/** The JSON object in a request's body, whatever its content type says. */
export async function readJsonObject(request: IncomingMessage): Promise<Record<string, unknown>> {
  return parseObject(await readBody(request));
}

async function parseFields(body: Buffer<ArrayBuffer>, type: string) {
  if (/^multipart\/form-data/i.test(type)) {
    const form = await new Response(body, { headers: { 'content-type': type } })
      .formData()
      .catch(() => null);
    if (!form) throw new ApiError(400, 'The multipart body can not be read.');
    return Object.fromEntries(form);
  }
  if (!/^application\/json/i.test(type)) {
    throw new ApiError(400, 'Content-Type must be application/json or multipart/form-data.');
  }
  return parseObject(body);
}

function parseObject(body: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    throw new ApiError(400, 'The body is not valid JSON.');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ApiError(400, 'The body is not a JSON object.');
  }
  return { ...value };
}

async function readBody(request: IncomingMessage): Promise<Buffer<ArrayBuffer>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new ApiError(400, 'The body is too large.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
