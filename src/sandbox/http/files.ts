import { answerJson, PENDING_ERROR, Refusal, type Reply } from './responses.ts';
import type { Call } from './body.ts';
import { isPending } from '../jobs/choose-account.ts';
import { accountOfQuery } from '../jobs/find-video.ts';
import { stableNumber } from '../jobs/job.ts';
import { receiveUpload, uploadTypes } from '../storage/uploads.ts';
import type { Route, World } from '../state.ts';

export const fileRoutes: Route[] = [{ method: 'POST', path: '/files', handle: uploadFile }];

/** Raw bytes of any length, never multipart. Images are answered in another shape than the rest. */
async function uploadFile(call: Call, world: World): Promise<Reply> {
  const account = accountOfQuery(world, call.query.get('email'));
  if (isPending(account, world)) throw new Refusal(596, PENDING_ERROR);
  const given = call.request.headers['content-type'] ?? '';
  const type = given.split(';')[0]?.trim().toLowerCase() ?? '';
  const extension = uploadTypes.get(type);
  if (!extension) throw new Refusal(400, `Content-Type ${given || '(none)'} is not supported.`);
  const bytesPerSecond = world.switches.now.trickleBytesPerSecond;
  const { name, bytes } = await receiveUpload(call.request, world.uploads, {
    extension,
    bytesPerSecond,
  });
  call.entry.body = { bytes };
  const path = `upload/${name}`;
  const url = `${world.origin}/uploads/${name}`;
  if (!type.startsWith('image/')) return answerJson(200, { path, url });
  const image = { id: stableNumber(name), url, path, size: bytes, name, category: 0, err_msg: '' };
  return answerJson(200, { result: [image] });
}
