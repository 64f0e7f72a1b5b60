import { Hono } from 'hono';
import { ApiError, PENDING_ERROR } from '../api-error.ts';
import { hasPendingError } from '../jobs/choose-account.ts';
import { stableNumber } from '../storage/stable-number.ts';
import { receiveUpload, uploadTypes } from '../storage/uploads.ts';
import type { SandboxContext, SandboxEnv } from './context.ts';
import { readAccount } from './parameters.ts';
import { jsonResponse } from './responses.ts';

export const fileRoutes = new Hono<SandboxEnv>().post('/files', uploadFile);

/** The body is raw bytes of any length, never multipart. Images are answered in another shape than audio and video. */
async function uploadFile(c: SandboxContext): Promise<Response> {
  const { incoming, state } = c.env;
  const account = readAccount(c);
  if (hasPendingError(account, state)) throw new ApiError(596, PENDING_ERROR);
  const given = c.req.header('content-type') ?? '';
  const type = given.split(';')[0]?.trim().toLowerCase() ?? '';
  const extension = uploadTypes.get(type);
  if (!extension) throw new ApiError(400, `Content-Type ${given || '(none)'} is not supported.`);
  const bytesPerSecond = state.switches.current.trickleBytesPerSecond;
  // Node's own request, since a web stream in between would buffer.
  const { name, bytes } = await receiveUpload(incoming, state.uploads, {
    extension,
    bytesPerSecond,
  });
  c.get('logged').body = { bytes };
  const path = `upload/${name}`;
  const url = `${state.origin}/uploads/${name}`;
  if (!type.startsWith('image/')) return jsonResponse(200, { path, url });
  const image = { id: stableNumber(name), url, path, size: bytes, name, category: 0, err_msg: '' };
  return jsonResponse(200, { result: [image] });
}
