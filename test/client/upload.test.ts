import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  LipsyncConnectionError,
  LipsyncRequestError,
  type OnProgress,
  uploadFile,
} from 'lipsync-graphql-client';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { openLine } from '../support/line.ts';
import { wavHeader } from '../support/wav.ts';
import { quick } from './client-stage.ts';
import { failureOf, type Step, startScripted } from './scripted.ts';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.stop());

const server = () => ({ url: `${app.url}/graphql`, backOff: quick });

/** Some minutes of silence, in many chunks. */
const wav = Buffer.concat([wavHeader(3_000_000), Buffer.alloc(3_000_000)]);

const kind = 'AUDIO';

function record() {
  const seen: Parameters<OnProgress>[0][] = [];
  return { seen, onProgress: (progress: Parameters<OnProgress>[0]) => void seen.push(progress) };
}

describe('works', () => {
  test('a file is sent, and what it is called and made of comes along', async () => {
    const { seen, onProgress } = record();
    const file = new File([wav], 'hello.wav', { type: 'audio/wav' });
    const answer = await uploadFile(server(), file, { kind, onProgress });
    expect(answer).toMatchObject({ __typename: 'UploadReady', durationSeconds: 187.5 });
    const { data } = await app.ask<{ upload: object }>(
      'query ($id: ID!) { upload(id: $id) { kind state contentType size filename } }',
      { id: 'id' in answer && answer.id },
    );
    expect(data?.upload).toEqual({
      kind,
      state: 'READY',
      contentType: 'audio/wav',
      size: wav.length,
      filename: 'hello.wav',
    });
    const sent = seen.map(({ sentBytes }) => sentBytes);
    expect(sent).toEqual(sent.toSorted((one, other) => one - other));
    expect(sent.length).toBeGreaterThan(1);
    expect(seen.at(-1)).toEqual({ sentBytes: wav.length, totalBytes: wav.length });
  });

  test('a stream is sent, with or without its size', async () => {
    const options = { kind, contentType: 'audio/wav' } as const;
    for (const size of [undefined, wav.length]) {
      const { seen, onProgress } = record();
      const answer = await uploadFile(server(), new Blob([wav]).stream(), {
        ...options,
        size,
        onProgress,
      });
      expect(answer.__typename).toBe('UploadReady');
      expect(seen.at(-1)).toEqual({ sentBytes: wav.length, totalBytes: size ?? null });
    }
  });
});

describe('refuses', () => {
  test('what the server refuses beforehand is returned', async () => {
    const answer = await uploadFile(server(), new Blob([wav]), { kind });
    expect(answer).toMatchObject({
      __typename: 'InvalidInputError',
      issues: [{ path: ['input', 'contentType'] }],
    });
  });

  test('so is a file that is not what it says, which no second try mends', async () => {
    const text = new Blob(['This is no sound.'.repeat(999)], { type: 'audio/wav' });
    expect(await uploadFile(server(), text, { kind })).toEqual({
      __typename: 'UploadRefused',
      code: 'INVALID_INPUT',
      message: expect.any(String),
      retryable: false,
      retryAfterSeconds: null,
    });
  });

  test('a refusal that passes says so, and for how long', async () => {
    const door = createServer((request, response) => {
      request.resume().on('end', () => {
        response.writeHead(429, { 'retry-after': '12' });
        response.end('{"code":"RATE_LIMITED","message":"There is no room."}');
      });
    }).listen(0, '127.0.0.1');
    await once(door, 'listening');
    const { port } = door.address() as AddressInfo;
    const created: Step = (stream) =>
      stream.next({ __typename: 'CreateUploadSuccess', uploadUrl: `http://127.0.0.1:${port}` });
    await using scripted = await startScripted(created);
    expect(await uploadFile({ url: scripted.url }, new Blob([wav]), { kind })).toEqual({
      __typename: 'UploadRefused',
      code: 'RATE_LIMITED',
      message: 'There is no room.',
      retryable: true,
      retryAfterSeconds: 12,
    });
    door.close();
  });

  test('a failure of a later version can be read', async () => {
    const future = { __typename: 'EclipseError', ...failureOf('ECLIPSE') };
    await using scripted = await startScripted((stream) => stream.next(future));
    expect(await uploadFile({ url: scripted.url }, new Blob([wav]), { kind })).toEqual({
      ...future,
      __typename: 'FutureError',
    });
  });

  test('a connection that breaks on the way is thrown', async () => {
    await using line = await openLine(app.url);
    const created: Step = (stream) =>
      stream.next({ __typename: 'CreateUploadSuccess', uploadUrl: `${line.url}/uploads/x` });
    await using scripted = await startScripted(created);
    const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull(controller) {
        controller.enqueue(new Uint8Array(65_536));
        line.breakDown();
      },
    });
    const uploading = uploadFile({ url: scripted.url }, stream, { kind });
    await expect(uploading).rejects.toThrow(LipsyncConnectionError);
  });

  test('an abort is thrown as its reason, and the server hears of it', async () => {
    const aborting = new AbortController();
    const file = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => controller.enqueue(wav),
    });
    const uploading = uploadFile(server(), file, {
      kind,
      contentType: 'audio/wav',
      filename: 'aborted.wav',
      signal: aborting.signal,
    });
    const settled = uploading.catch((error: unknown) => error);
    await reach('aborted.wav', 'RECEIVING');
    aborting.abort(new Error('Not that one.'));
    expect(await settled).toEqual(new Error('Not that one.'));
    await reach('aborted.wav', 'FAILED');
  });

  test('an upload that stands still is given up', async () => {
    const file = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => controller.enqueue(wav),
    });
    const uploading = uploadFile({ ...server(), timeoutMs: 2_000 }, file, {
      kind,
      contentType: 'audio/wav',
      filename: 'stalled.wav',
    });
    await expect(uploading).rejects.toThrow(LipsyncConnectionError);
    await reach('stalled.wav', 'FAILED');
  });

  test.each([
    { status: 413, error: LipsyncRequestError },
    { status: 502, error: LipsyncConnectionError },
  ])('a page of some proxy with $status is $error.name', async ({ status, error }) => {
    const proxy = createServer((request, response) => {
      request.resume().on('end', () => response.writeHead(status).end('<html>'));
    }).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const { port } = proxy.address() as AddressInfo;
    await using scripted = await startScripted((stream) =>
      stream.next({ __typename: 'CreateUploadSuccess', uploadUrl: `http://127.0.0.1:${port}` }),
    );
    const uploading = uploadFile({ url: scripted.url }, new Blob([wav]), { kind });
    await expect(uploading).rejects.toThrow(error);
    proxy.close();
  });
});

/** Waits until the server knows the upload of that name in that state. */
async function reach(filename: string, state: string): Promise<void> {
  const sql = 'select state from uploads where filename = $1';
  await vi.waitFor(
    async () => expect(await app.app.db.query(sql, [filename])).toEqual([{ state }]),
    { timeout: 10_000 },
  );
}

/** As much of a browser's as the kit touches: a browser itself is in `test/browser`. */
class Request {
  static last: Request | null = null;
  readonly upload: { onprogress: ((event: object) => void) | null } = { onprogress: null };
  onload: (() => void) | null = null;
  onerror: (() => void) | null = null;
  readonly status = 200;
  readonly responseText = '{"id":"an upload","durationSeconds":null}';
  readonly calls: unknown[] = [];

  constructor() {
    Request.last = this;
  }
  open(...given: unknown[]): void {
    this.calls.push(given);
  }
  getResponseHeader(): null {
    return null;
  }
  send(body: unknown): void {
    this.calls.push(body);
    this.upload.onprogress?.({ loaded: 1, total: 3 });
  }
  abort(): void {
    this.calls.push('abort');
  }
}

describe('where there is an XMLHttpRequest, which alone tells a browser how far it is', () => {
  const created: Step = (stream) =>
    stream.next({ __typename: 'CreateUploadSuccess', uploadUrl: 'http://there/' });

  async function upload(
    file: Blob | ReadableStream<Uint8Array<ArrayBuffer>>,
    signal?: AbortSignal,
  ) {
    vi.stubGlobal('XMLHttpRequest', Request);
    Request.last = null;
    await using scripted = await startScripted(created);
    const { seen, onProgress } = record();
    const uploading = uploadFile({ url: scripted.url }, file, { kind, signal, onProgress });
    const settled = uploading.catch((error: unknown) => error);
    await vi.waitFor(() => expect(Request.last?.calls.length).toBe(2));
    return { uploading, settled, seen, request: Request.last as unknown as Request };
  }
  afterAll(() => void vi.unstubAllGlobals());

  test('it sends the file', async () => {
    const file = new Blob(['abc']);
    const aborting = new AbortController();
    const { uploading, seen, request } = await upload(file, aborting.signal);
    request.onload?.();
    expect(await uploading).toEqual({
      __typename: 'UploadReady',
      id: 'an upload',
      durationSeconds: null,
    });
    aborting.abort();
    expect(request.calls).toEqual([['PUT', 'http://there/'], file]);
    expect(seen).toEqual([{ sentBytes: 1, totalBytes: 3 }]);
  });

  test('it sends a stream as a file, since no browser sends streams over HTTP/1.1', async () => {
    const { request } = await upload(new Blob(['abc']).stream());
    expect(await (request.calls[1] as Blob).text()).toBe('abc');
  });

  test('it is aborted with the signal, and a broken connection is thrown', async () => {
    const aborting = new AbortController();
    const { settled, request } = await upload(new Blob(['abc']), aborting.signal);
    aborting.abort(new Error('Enough.'));
    expect(await settled).toEqual(new Error('Enough.'));
    expect(request.calls.at(-1)).toBe('abort');

    const other = await upload(new Blob(['abc']));
    other.request.onerror?.();
    expect(await other.settled).toBeInstanceOf(LipsyncConnectionError);
  });
});
