import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { encodeId } from '../../../src/graphql/ids.ts';
import {
  apiKeys,
  idOf,
  type LipsyncApp,
  signInAs,
  startLipsyncApp,
} from '../../support/lipsync-app.ts';
import { longWait, withHeaders } from '../../support/lipsyncs.ts';
import { createUpload, uploadFile } from '../../support/uploads.ts';
import { wavHeader } from '../../support/wav.ts';

let app: LipsyncApp;
let video: string;
const [ann, bob] = [signInAs('ann'), signInAs('bob')];
beforeAll(async () => {
  app = await startLipsyncApp({ env: { API_KEYS: apiKeys('ann', 'bob') } });
  [video = ''] = await app.listVideoIds(undefined, ann);
});
afterAll(() => app.stop());
beforeEach(() => app.sendFinalCallbacksOnly());

/** The types of `fetch` do not have it, and a stream as the body needs it. */
const streamed = { duplex: 'half' };
const wav = Buffer.concat([wavHeader(16_000), Buffer.alloc(16_000)]);
const upload = () => uploadFile(withHeaders(app, ann), 'AUDIO', wav);

const remove = async (id: string, headers = ann) =>
  (
    await app.askForData<{ deleteUpload: object }>(
      `mutation ($id: ID!) { deleteUpload(input: { id: $id }) { __typename
         ... on DeleteUploadSuccess { deletedUploadId }
         ... on InvalidInputError { issues { path message } }
         ... on LipsyncError { code } } }`,
      { id },
      headers,
    )
  ).deleteUpload;

const find = async (id: string) =>
  (
    await app.askForData<{ upload: { status: string } | null }>(
      'query ($id: ID!) { upload(id: $id) { id status } }',
      { id },
      ann,
    )
  ).upload;

const notFound = { __typename: 'NotFoundError', code: 'NOT_FOUND' };

describe('works', () => {
  it('deletes an upload, which is missing from then on, also for a repeated request', async () => {
    const id = await upload();
    expect(await remove(id)).toEqual({ __typename: 'DeleteUploadSuccess', deletedUploadId: id });
    expect(await find(id)).toBeNull();
    expect(await remove(id)).toEqual(notFound);
    const speech = { uploadId: id };
    expect(await app.create({ video: { videoId: video }, speech }, ann)).toMatchObject(notFound);
  });

  it('deletes an upload that waits for its file: its URL is unknown from then on', async () => {
    const { id, url } = await createUpload(withHeaders(app, ann));
    expect(await remove(id)).toMatchObject({ deletedUploadId: id });
    expect((await fetch(url, { method: 'PUT', body: wav })).status).toBe(404);
  });

  it('keeps a lip-sync that was sent with the upload', async () => {
    const audioUploadId = await upload();
    const id = idOf(
      await app.create({ video: { videoId: video }, speech: { uploadId: audioUploadId } }, ann),
    );
    expect(await remove(audioUploadId)).toMatchObject({ deletedUploadId: audioUploadId });
    await app.finishJobs();
    expect(await app.waitForEnd(id, ann)).toMatchObject({ status: 'COMPLETED' });
    const { lipsync } = await app.askForData<{ lipsync: object }>(
      'query ($id: ID!) { lipsync(id: $id) { speechUpload { id } } }',
      { id },
      ann,
    );
    expect(lipsync).toEqual({ speechUpload: null });
  });
});

describe('refuses', () => {
  it('an upload with which a lip-sync waits to be sent, until that is cancelled', async () => {
    const audioUploadId = await upload();
    const running = [];
    for (const n of [1, 2, 3]) {
      running.push(
        idOf(await app.create({ video: { videoId: video }, text: `[[never]] ${n}` }, ann)),
      );
    }
    const speech = { uploadId: audioUploadId };
    const waiting = idOf(await app.create({ video: { videoId: video }, speech }, ann));
    expect(await remove(audioUploadId)).toEqual({
      __typename: 'InvalidInputError',
      code: 'INVALID_INPUT',
      issues: [{ path: ['input', 'id'], message: expect.stringContaining('Cancel') }],
    });
    expect(await find(audioUploadId)).not.toBeNull();
    await app.cancel(waiting, ann);
    expect(await remove(audioUploadId)).toMatchObject({ deletedUploadId: audioUploadId });
    await Promise.all(running.map((id) => app.cancel(id, ann)));
  });

  it('an upload whose file is arriving', async () => {
    const { id, url } = await createUpload(withHeaders(app, ann));
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const sending = fetch(url, { method: 'PUT', body: readable, ...streamed });
    await writer.write(wav.subarray(0, 1_000));
    await vi.waitFor(
      async () => expect(await find(id)).toMatchObject({ status: 'RECEIVING' }),
      longWait,
    );
    expect(await remove(id)).toMatchObject({
      issues: [{ message: 'The file is still arriving.' }],
    });
    await writer.write(wav.subarray(1_000));
    await writer.close();
    expect((await sending).status).toBe(200);
    expect(await remove(id)).toMatchObject({ deletedUploadId: id });
  });

  it.each(['', 'none', encodeId('Upload', 'none'), encodeId('Lipsync', 'none')])(
    'the id %j like a missing upload',
    async (id) => expect(await remove(id)).toEqual(notFound),
  );
});

describe('keeps out', () => {
  it('another owner, to whom the upload does not exist', async () => {
    const id = await upload();
    expect(await remove(id, bob)).toEqual(notFound);
    expect(await find(id)).not.toBeNull();
  });
});
