import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  LipsyncConnectionError,
  LipsyncRequestError,
  type OnProgress,
  type RetryInfo,
  uploadFile,
} from 'lipsync-graphql-client';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { openLine } from '../support/line.ts';
import { wavHeader } from '../support/wav.ts';
import { failureOf, type Step, startScriptedServer } from './scripted-server.ts';
import { fastBackOff } from './transports.ts';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.stop());

const server = () => ({ url: `${app.url}/graphql`, backOff: fastBackOff });

/** Half a minute of silence, which is sent in many chunks. */
const wav = Buffer.concat([wavHeader(3_000_000, { sampleRate: 48_000 }), Buffer.alloc(3_000_000)]);

const kind = 'AUDIO';

const created =
  (uploadUrl: string): Step =>
  (stream) =>
    stream.next({ __typename: 'CreateUploadSuccess', uploadUrl });

/** An upload endpoint that reads the file and then answers. */
async function startUploadEndpoint(answer: (response: ServerResponse) => unknown) {
  const server = createServer((request: IncomingMessage, response) => {
    request.resume().on('end', () => answer(response));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.dispose]: () => void server.close(),
  };
}

function recordProgress() {
  const seen: Parameters<OnProgress>[0][] = [];
  return { seen, onProgress: (progress: Parameters<OnProgress>[0]) => void seen.push(progress) };
}

describe('works', () => {
  test('uploads a file with its name and type', async () => {
    const { seen, onProgress } = recordProgress();
    const file = new File([wav], 'hello.wav', { type: 'audio/wav' });
    const answer = await uploadFile(server(), file, { kind, onProgress });
    expect(answer).toMatchObject({ __typename: 'UploadReady', durationSeconds: 31.25 });
    const { data } = await app.ask<{ upload: object }>(
      'query ($id: ID!) { upload(id: $id) { kind status contentType size filename } }',
      { id: 'id' in answer && answer.id },
    );
    expect(data?.upload).toEqual({
      kind,
      status: 'READY',
      contentType: 'audio/wav',
      size: wav.length,
      filename: 'hello.wav',
    });
    const sent = seen.map(({ sentBytes }) => sentBytes);
    expect(sent).toEqual(sent.toSorted((a, b) => a - b));
    expect(sent.length).toBeGreaterThan(1);
    expect(seen.at(-1)).toEqual({ sentBytes: wav.length, totalBytes: wav.length });
  });

  test('uploads a stream with and without its size', async () => {
    const options = { kind, contentType: 'audio/wav' } as const;
    for (const size of [undefined, wav.length]) {
      const { seen, onProgress } = recordProgress();
      const answer = await uploadFile(server(), new Blob([wav]).stream(), {
        ...options,
        size,
        onProgress,
      });
      expect(answer.__typename).toBe('UploadReady');
      expect(seen.at(-1)).toEqual({ sentBytes: wav.length, totalBytes: size ?? null });
    }
  });

  test('uploads with an infinite timeoutMs, without a timer that fires at once', async () => {
    const warnings: string[] = [];
    const record = ({ name }: Error) => void warnings.push(name);
    process.on('warning', record);
    try {
      const file = new Blob([wav], { type: 'audio/wav' });
      const answer = await uploadFile({ ...server(), timeoutMs: Infinity }, file, { kind });
      expect(answer.__typename).toBe('UploadReady');
      expect(warnings).not.toContain('TimeoutOverflowWarning');
    } finally {
      process.off('warning', record);
    }
  });

  test('uploads audio of which a part is used', async () => {
    const clip = { startSeconds: 10, durationSeconds: 2 };
    const file = new Blob([wav], { type: 'audio/wav' });
    const answer = await uploadFile(server(), file, { kind, clip });
    expect(answer).toMatchObject({ __typename: 'UploadReady', durationSeconds: 2 });
  });
});

describe('an upload that fails', () => {
  test('returns what the server refuses before the upload', async () => {
    const midi = new Blob([wav], { type: 'audio/midi' });
    const answer = await uploadFile(server(), midi, { kind });
    expect(answer).toMatchObject({
      __typename: 'InvalidInputError',
      issues: [{ path: ['input', 'contentType'] }],
    });
  });

  test('returns UploadRefused, not retryable, for a file of another type', async () => {
    const text = new Blob(['This is not audio.'.repeat(999)], { type: 'audio/wav' });
    expect(await uploadFile(server(), text, { kind })).toEqual({
      __typename: 'UploadRefused',
      code: 'INVALID_INPUT',
      issueCode: 'WRONG_KIND',
      message: expect.any(String),
      retryable: false,
      retryAfterSeconds: null,
    });
  });

  test('returns UploadRefused, retryable, with the seconds of Retry-After', async () => {
    using endpoint = await startUploadEndpoint((response) => {
      response.writeHead(429, { 'retry-after': '12' });
      response.end('{"code":"RATE_LIMITED","message":"Too many uploads."}');
    });
    await using scripted = await startScriptedServer(created(endpoint.url));
    expect(await uploadFile({ url: scripted.url }, new Blob([wav]), { kind })).toEqual({
      __typename: 'UploadRefused',
      code: 'RATE_LIMITED',
      issueCode: null,
      message: 'Too many uploads.',
      retryable: true,
      retryAfterSeconds: 12,
    });
  });

  test('returns no seconds for a Retry-After that is a date, as of a proxy', async () => {
    using endpoint = await startUploadEndpoint((response) => {
      response.writeHead(429, { 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' });
      response.end('{"code":"RATE_LIMITED","message":"Too many uploads."}');
    });
    await using scripted = await startScriptedServer(created(endpoint.url));
    expect(await uploadFile({ url: scripted.url }, new Blob([wav]), { kind })).toMatchObject({
      __typename: 'UploadRefused',
      retryAfterSeconds: null,
    });
  });

  test('returns an unknown failure type as FutureError', async () => {
    const future = { __typename: 'NewServerError', ...failureOf('NEW_SERVER') };
    await using scripted = await startScriptedServer((stream) => stream.next(future));
    expect(await uploadFile({ url: scripted.url }, new Blob([wav]), { kind })).toEqual({
      ...future,
      __typename: 'FutureError',
    });
  });

  test('throws LipsyncConnectionError when the connection breaks', async () => {
    await using line = await openLine(app.url);
    await using scripted = await startScriptedServer(created(`${line.url}/uploads/x`));
    const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull(controller) {
        controller.enqueue(new Uint8Array(65_536));
        line.breakDown();
      },
    });
    const uploading = uploadFile({ url: scripted.url }, stream, { kind });
    await expect(uploading).rejects.toThrow(LipsyncConnectionError);
  });

  const unavailable = {
    code: 'TEMPORARILY_UNAVAILABLE',
    message: 'Later.',
  };

  test('sends a file again, as a new upload, while the server is temporarily unavailable', async () => {
    let puts = 0;
    using endpoint = await startUploadEndpoint((response) => {
      puts += 1;
      if (puts < 3)
        response.writeHead(503, { 'retry-after': '0' }).end(JSON.stringify(unavailable));
      else response.end('{"id":"an upload","durationSeconds":null}');
    });
    await using scripted = await startScriptedServer(...Array<Step>(3).fill(created(endpoint.url)));
    const retries: RetryInfo[] = [];
    const hooks = { onRetry: (retry: RetryInfo) => void retries.push(retry) };
    const target = { url: scripted.url, backOff: fastBackOff, hooks };
    expect(await uploadFile(target, new Blob([wav]), { kind })).toMatchObject({ id: 'an upload' });
    expect(scripted.requests.length).toBe(3);
    expect(retries).toMatchObject(
      [1, 2].map((failures) => ({ operationName: 'CreateUpload', failures, error: unavailable })),
    );
  });

  test('sends a stream once, because it cannot be read again', async () => {
    using endpoint = await startUploadEndpoint((response) =>
      response.writeHead(503).end(JSON.stringify(unavailable)),
    );
    await using scripted = await startScriptedServer(created(endpoint.url));
    const target = { url: scripted.url, backOff: fastBackOff };
    const stream = new Blob([wav]).stream();
    expect(await uploadFile(target, stream, { kind })).toMatchObject({
      __typename: 'UploadRefused',
      ...unavailable,
      retryable: true,
    });
  });

  test('throws the reason of an abort, and the server marks the upload as failed', async () => {
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
    await waitForUploadState('aborted.wav', 'RECEIVING');
    aborting.abort(new Error('Aborted.'));
    expect(await settled).toEqual(new Error('Aborted.'));
    await waitForUploadState('aborted.wav', 'FAILED');
  });

  test('throws when the upload makes no progress for timeoutMs', async () => {
    const file = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => controller.enqueue(wav),
    });
    const uploading = uploadFile({ ...server(), timeoutMs: 10_000 }, file, {
      kind,
      contentType: 'audio/wav',
      filename: 'stalled.wav',
    });
    await expect(uploading).rejects.toThrow(LipsyncConnectionError);
    await waitForUploadState('stalled.wav', 'FAILED');
  });

  test.each([
    { status: 413, error: LipsyncRequestError, body: '<html>' },
    { status: 502, error: LipsyncConnectionError, body: '<html>' },
    { status: 200, error: LipsyncConnectionError, body: '<html>' },
    { status: 200, error: LipsyncConnectionError, body: '{"ok":true}' },
    { status: 403, error: LipsyncRequestError, body: '{"message":"Forbidden"}' },
    { status: 429, error: LipsyncConnectionError, body: '{"code":429,"message":"Slow down"}' },
    { status: 503, error: LipsyncConnectionError, body: 'null' },
  ])(
    'throws $error.name for $body of a proxy with status $status',
    async ({ status, error, body }) => {
      using proxy = await startUploadEndpoint((response) => response.writeHead(status).end(body));
      await using scripted = await startScriptedServer(created(proxy.url));
      const uploading = uploadFile({ url: scripted.url }, new Blob([wav]), { kind });
      await expect(uploading).rejects.toThrow(error);
    },
  );
});

/** Waits until the upload with that file name has that state on the server. */
async function waitForUploadState(filename: string, state: string): Promise<void> {
  const sql = 'select state from uploads where filename = $1';
  await vi.waitFor(
    async () => expect(await app.app.db.query(sql, [filename])).toEqual([{ state }]),
    { timeout: 60_000 },
  );
}

/** The part of XMLHttpRequest that the kit uses. `test/browser` has the tests in a real browser. */
class FakeXhr {
  static last: FakeXhr | null = null;
  readonly upload: { onprogress: ((event: object) => void) | null } = { onprogress: null };
  onload: (() => void) | null = null;
  onerror: (() => void) | null = null;
  readonly status = 200;
  readonly responseText = '{"id":"an upload","durationSeconds":null}';
  readonly calls: unknown[] = [];

  constructor() {
    FakeXhr.last = this;
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

describe('with XMLHttpRequest, the only source of upload progress in a browser', () => {
  async function upload(
    file: Blob | ReadableStream<Uint8Array<ArrayBuffer>>,
    signal?: AbortSignal,
  ) {
    vi.stubGlobal('XMLHttpRequest', FakeXhr);
    FakeXhr.last = null;
    await using scripted = await startScriptedServer(created('http://upload.example/'));
    const { seen, onProgress } = recordProgress();
    const uploading = uploadFile({ url: scripted.url }, file, { kind, signal, onProgress });
    const settled = uploading.catch((error: unknown) => error);
    await vi.waitFor(() => expect(FakeXhr.last?.calls.length).toBe(2), { timeout: 60_000 });
    return { uploading, settled, seen, request: FakeXhr.last as unknown as FakeXhr };
  }
  afterAll(() => void vi.unstubAllGlobals());

  test('sends the file', async () => {
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
    expect(request.calls).toEqual([['PUT', 'http://upload.example/'], file]);
    expect(seen).toEqual([{ sentBytes: 1, totalBytes: 3 }]);
  });

  test('sends a stream as a Blob, because browsers cannot stream over HTTP/1.1', async () => {
    const { request } = await upload(new Blob(['abc']).stream());
    expect(await (request.calls[1] as Blob).text()).toBe('abc');
  });

  test('is aborted with the signal, and throws LipsyncConnectionError for a broken connection', async () => {
    const aborting = new AbortController();
    const { settled, request } = await upload(new Blob(['abc']), aborting.signal);
    aborting.abort(new Error('Aborted.'));
    expect(await settled).toEqual(new Error('Aborted.'));
    expect(request.calls.at(-1)).toBe('abort');

    const other = await upload(new Blob(['abc']));
    other.request.onerror?.();
    expect(await other.settled).toBeInstanceOf(LipsyncConnectionError);
  });
});
