import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { startFakeUpstream } from '../../support/fake-upstream/server.ts';
import { createUpload } from '../../support/uploads.ts';
import { endlessWav, put, until, wav } from './upload-harness.ts';

const megabyte = 1024 ** 2;
const hour = 3_600_000;

let app: TestApp;
let aheadMs = 0;
beforeAll(async () => {
  app = await startTestApp({ now: () => new Date(Date.now() + aheadMs) });
});
afterEach(() => {
  aheadMs = 0;
});
afterAll(() => app.stop());

type Upload = {
  id: string;
  status: string;
  kind: string;
  size: number | null;
  expiresAt: string | null;
  failure: { code: string } | null;
};

async function read(id: string): Promise<Upload | undefined> {
  const { data } = await app.ask<{ upload: Upload }>(
    'query ($id: ID!) { upload(id: $id) { id status kind size expiresAt failure { code } } }',
    { id },
  );
  return data?.upload;
}

/** A client that has sent the first megabyte of its file. */
async function beginUpload(uploadUrl: string) {
  const bytes = Buffer.concat(await Array.fromAsync(endlessWav(megabyte)));
  const request = httpRequest(uploadUrl, {
    method: 'PUT',
    headers: { 'content-length': 4 * megabyte },
  });
  request.on('error', () => undefined);
  request.write(bytes);
  return {
    leave: () => request.destroy(),
    finish: async () => {
      request.end(Buffer.alloc(3 * megabyte));
      const [response] = await once(request, 'response');
      response.resume();
      return response.statusCode as number;
    },
  };
}

const hasStatus = (status: string) => (upload: Upload | undefined) => upload?.status === status;

describe('an upload becomes', () => {
  it('WAITING, RECEIVING and READY', async () => {
    const { id, url } = await createUpload(app, { size: 4 * megabyte });
    expect(await read(id)).toMatchObject({
      status: 'WAITING',
      expiresAt: expect.any(String),
    });
    const client = await beginUpload(url);
    const receiving = await until(() => read(id), hasStatus('RECEIVING'));
    expect(receiving).toMatchObject({ size: 4 * megabyte, expiresAt: null, failure: null });
    expect(await client.finish()).toBe(200);
    expect(await read(id)).toMatchObject({ status: 'READY', failure: null });
  });

  it('FAILED with the reason, when its client disconnects', async () => {
    const { id, url } = await createUpload(app);
    const client = await beginUpload(url);
    await until(() => read(id), hasStatus('RECEIVING'));
    client.leave();
    const failed = await until(() => read(id), hasStatus('FAILED'));
    expect(failed?.failure).toEqual({ code: 'INVALID_INPUT' });
  });

  it('EXPIRED an hour after its creation, permanently', async () => {
    const { id, url } = await createUpload(app);
    aheadMs = hour + 1;
    expect(await read(id)).toMatchObject({ status: 'EXPIRED', failure: null });
    expect((await put(url, wav(1))).status).toBe(410);
    aheadMs = 100 * hour;
    expect(await read(id)).toMatchObject({ status: 'EXPIRED' });
    expect((await put(url, wav(1))).status).toBe(410);
  });
});

describe('a failed upload', () => {
  it('is repeated under a new URL, since the old one is used', async () => {
    const first = await createUpload(app, { size: 4 * megabyte });
    const client = await beginUpload(first.url);
    await until(() => read(first.id), hasStatus('RECEIVING'));
    client.leave();
    await until(() => read(first.id), hasStatus('FAILED'));
    // Received bytes are not stored, so an upload cannot be resumed.
    expect(await put(first.url, Buffer.alloc(4 * megabyte))).toMatchObject({ status: 409 });

    const second = await createUpload(app, { size: 4 * megabyte });
    expect(second.url).not.toBe(first.url);
    expect(await (await beginUpload(second.url)).finish()).toBe(200);
    expect(await read(second.id)).toMatchObject({ status: 'READY', size: 4 * megabyte });
    const files =
      await app.readSandbox<{ path: string; status: unknown; body?: { bytes: number } }[]>(
        'requests',
      );
    const sent = files.filter(({ path }) => path.startsWith('/files')).slice(-2);
    // The video service stored nothing of the first file; how its journal records that does not matter.
    expect(sent[0]?.status).not.toBe(200);
    expect(sent[0]?.body).toBeUndefined();
    expect(sent[1]).toMatchObject({ status: 200, body: { bytes: 4 * megabyte } });
  });

  it('closes both connections if the video service failed it, and is repeated under a new URL', async () => {
    let isBroken = true;
    await using upstream = await startFakeUpstream();
    upstream.handle('POST /files', (request, response) => {
      if (isBroken) request.once('data', () => request.socket.destroy());
      else request.resume().once('end', () => response.end('{"path":"upload/whole.wav"}'));
    });
    await using other = await startTestApp({ upstream });
    const { url } = await createUpload(other);
    const broken = await put(url, endlessWav(500 * megabyte));
    expect(broken).toMatchObject({ status: 502, code: 'UPSTREAM_UNAVAILABLE' });
    expect(broken.headers.get('connection')).toBe('close');
    isBroken = false;
    expect(await put(url, wav(1))).toMatchObject({ status: 409 });
    expect(await put((await createUpload(other)).url, wav(1))).toMatchObject({ status: 200 });
  });
});
