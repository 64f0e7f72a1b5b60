import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { refusedHosts } from '../../../outbound/address-table.ts';
import { connectAgent } from '../../../support/agent.ts';
import { type FileServer, openFileServer, sendFile } from '../../../support/file-server.ts';
import { longWait } from '../../../support/lipsyncs.ts';
import { scrape, sumOf } from '../../../support/metrics.ts';
import { execute, type Transport } from '../../../support/transports.ts';
import { wavHeader } from '../../../support/wav.ts';
import { type ImportApp, startImportApp } from './import-app.ts';

const wav = (seconds: number) =>
  Buffer.concat([wavHeader(seconds * 16_000), Buffer.alloc(seconds * 16_000)]);
const sound = wav(2);

const signedPath = `/a.wav?token=${'a'.repeat(8_000)}`;

/** Held responses, by path: the test ends them. */
const held = new Map<string, () => void>();

let app: ImportApp;
let files: FileServer;
beforeAll(async () => {
  files = await openFileServer({
    '/a.wav': sendFile(sound),
    '/chunked.wav': (response) => {
      response.writeHead(200, { 'content-type': 'application/octet-stream' });
      response.write(sound.subarray(0, 10_000));
      response.end(sound.subarray(10_000));
    },
    '/once-500.wav': (response, n) =>
      n === 1 ? void response.writeHead(503).end() : sendFile(sound)(response, n, response.req),
    '/once-cut.wav': (response, n) => {
      if (n > 1) return sendFile(sound)(response, n, response.req);
      response.writeHead(200, { 'content-length': sound.byteLength });
      response.write(sound.subarray(0, sound.byteLength / 2), () => response.destroy());
    },
    '/always-cut.wav': (response) => {
      response.writeHead(200, { 'content-length': sound.byteLength });
      response.write(sound.subarray(0, sound.byteLength / 2), () => response.destroy());
    },
    '/always-500.wav': (response) => void response.writeHead(500).end(),
    '/hangs.wav': () => undefined,
    '/stalls.wav': (response) => {
      response.writeHead(200, { 'content-length': sound.byteLength });
      response.write(sound.subarray(0, 8_000));
    },
    '/held.wav': (response) => {
      response.writeHead(200, { 'content-length': sound.byteLength });
      response.write(sound.subarray(0, 20_000));
      held.set('/held.wav', () => response.end(sound.subarray(20_000)));
    },
    '/dripping.wav': (response) => {
      response.writeHead(200, { 'content-length': sound.byteLength });
      let sentBytes = 0;
      const timer = setInterval(() => {
        response.write(sound.subarray(sentBytes, sentBytes + 100));
        sentBytes += 100;
      }, 50);
      held.set('/dripping.wav', () => {
        clearInterval(timer);
        response.end(sound.subarray(sentBytes));
      });
    },
    '/page': sendFile(Buffer.from('<!doctype html><p>Sign in'), 'text/html; charset=utf-8'),
    '/text.wav': sendFile(Buffer.from('This is not sound at all.'.repeat(400))),
    '/empty.wav': sendFile(Buffer.alloc(0)),
    '/six-gigabytes.wav': (response) => {
      response.writeHead(200, { 'content-length': 6 * 1024 ** 3 });
      response.write(sound);
    },
    '/gzip.wav': (response) =>
      void response.writeHead(200, { 'content-encoding': 'gzip' }).end(sound),
    ...Object.fromEntries(
      [
        ...['', 'Identity', 'aws-chunked', 'identity, AWS-Chunked', 'base64', 'UTF-8', 'none'],
        ...['X-Gzip', 'deflate', 'br', 'zstd', 'compress'],
      ].map((encoding) => [
        `/encoding-${encoding}.wav`.replace(/[ ,]/g, '-'),
        (response) => void response.writeHead(200, { 'content-encoding': encoding }).end(sound),
      ]),
    ),
    '/aws-gzip.wav': (response) =>
      void response.writeHead(200, { 'content-encoding': 'aws-chunked, gzip' }).end(sound),
    '/to-a': (response) => void response.writeHead(302, { location: '/a.wav?b=1#c' }).end(),
    '/loop': (response) => void response.writeHead(301, { location: '/loop' }).end(),
    '/to-metadata': (response) =>
      void response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data/' }).end(),
    '/to-private': (response) =>
      void response.writeHead(307, { location: 'http://10.0.0.7/a.wav' }).end(),
    '/to-user': (response) =>
      void response
        .writeHead(302, { location: `http://user:secret@127.0.0.1:${files.port}/a.wav` })
        .end(),
    // As long as signed URLs of storage services with the longest session tokens.
    '/to-signed': (response) => void response.writeHead(302, { location: signedPath }).end(),
    '/to-too-long': (response) =>
      void response.writeHead(302, { location: `/a.wav?token=${'a'.repeat(8_192)}` }).end(),
    '/to-file': (response) =>
      void response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
    '/to-nothing': (response) => void response.writeHead(302).end(),
  });
  app = await startImportApp({ importWaits: { idleMs: 500, retryMs: 10 } });
});
afterAll(async () => {
  await app.stop();
  files.close();
});

describe('works', () => {
  it('answers at once, and forwards the file to the video service', async () => {
    const url = files.url('/a.wav?signature=abc');
    const { __typename, upload } = await app.importUpload({ url, filename: 'memo.wav' });
    expect(__typename).toBe('ImportUploadSuccess');
    expect(upload).toMatchObject({
      kind: 'AUDIO',
      status: 'RECEIVING',
      sourceUrl: url,
      filename: 'memo.wav',
      size: null,
      expiresAt: null,
      failure: null,
    });
    expect(await app.untilEnd(upload?.id ?? '')).toMatchObject({
      status: 'READY',
      contentType: 'audio/wav',
      size: sound.byteLength,
      bytesReceived: sound.byteLength,
      durationSeconds: 2,
      failure: null,
    });
    expect((await app.sentFiles()).at(-1)?.body).toMatchObject({ bytes: sound.byteLength });
  });

  it('sends no credential, cookie or referrer, not even after a redirect', async () => {
    await app.importUntilEnd({ url: files.url('/to-a') });
    const [, last] = files.requests.slice(-2);
    expect(last).toMatchObject({ method: 'GET', path: '/a.wav?b=1' });
    expect(Object.keys(last?.headers ?? {}).sort()).toEqual([
      ...['accept', 'accept-encoding', 'connection', 'host', 'user-agent'],
    ]);
  });

  it.each([
    ['of unknown length', '/chunked.wav', 1],
    ['with an empty Content-Encoding', '/encoding-.wav', 1],
    ['with the Content-Encoding Identity', '/encoding-Identity.wav', 1],
    ['that S3 stored from signed chunks', '/encoding-aws-chunked.wav', 1],
    ['with both', '/encoding-identity--AWS-Chunked.wav', 1],
    ['with the Content-Encoding base64, which S3 stored', '/encoding-base64.wav', 1],
    ['with the Content-Encoding UTF-8', '/encoding-UTF-8.wav', 1],
    ['with the Content-Encoding none', '/encoding-none.wav', 1],
    ['behind a redirect to a URL of 8,000 characters', '/to-signed', 1],
    ['after a server error', '/once-500.wav', 2],
    ['after a connection that broke at half', '/once-cut.wav', 2],
  ])('a file %s', async (_, path, requests) => {
    const before = files.requestsOf(path).length;
    expect(await app.importUntilEnd({ url: files.url(path) })).toMatchObject({
      status: 'READY',
      size: sound.byteLength,
    });
    expect(files.requestsOf(path).length - before).toBe(requests);
  });

  it('counts imports by their result', async () => {
    const count = async (result: string) =>
      sumOf(await scrape(app.url), 'imports_total', { result }) ?? 0;
    const [ready, failed] = [await count('ready'), await count('failed')];
    await app.importUntilEnd({ url: files.url('/a.wav') });
    await app.importUntilEnd({ url: files.url('/missing.wav') });
    expect([await count('ready'), await count('failed')]).toEqual([ready + 1, failed + 1]);
  });

  it('cuts what an agent imports with a clip', async () => {
    const agent = await connectAgent({ url: app.url });
    const input = { kind: 'AUDIO', url: files.url('/a.wav'), clip: { durationSeconds: 0.5 } };
    const { upload } = (await agent.call('import_upload', input)).content;
    const { id } = upload as { id: string };
    expect(await app.untilEnd(id)).toMatchObject({ status: 'READY', durationSeconds: 0.5 });
    await agent.client.close();
  });

  it('shows how many bytes have arrived, and of how many', async () => {
    const { upload } = await app.importUpload({ url: files.url('/dripping.wav') });
    const id = upload?.id ?? '';
    await vi.waitFor(async () => {
      const running = await app.readUpload(id);
      expect(running).toMatchObject({ status: 'RECEIVING', size: sound.byteLength });
      expect(running?.bytesReceived).toBeGreaterThan(0);
      expect(running?.bytesReceived).toBeLessThan(sound.byteLength);
    }, longWait);
    held.get('/dripping.wav')?.();
    const ended = await app.untilEnd(id);
    expect(ended).toMatchObject({ status: 'READY', bytesReceived: sound.byteLength });
  });

  it('keeps the part of a sound that `clip` names', async () => {
    const clip = { startSeconds: 0.5, durationSeconds: 1.25 };
    const ended = await app.importUntilEnd({ url: files.url('/a.wav'), clip });
    expect(ended).toMatchObject({ status: 'READY', durationSeconds: 1.25 });
  });
});

describe('starts', () => {
  // A job of pg-boss has at most 24 hours, and an import has a minute more than its limit.
  it('with the longest IMPORT_TIMEOUT_MS that is accepted', async () => {
    const patient = await startImportApp({ env: { IMPORT_TIMEOUT_MS: '86400000' } });
    try {
      expect(await patient.importUntilEnd({ url: files.url('/a.wav') })).toMatchObject({
        status: 'READY',
      });
    } finally {
      await patient.stop();
    }
  });
});

describe('refuses', () => {
  type Case = [string, string, [RegExp, string]];
  const cases: Case[] = [
    ['a missing file', '/missing.wav', [/status 404/, 'UNREACHABLE']],
    ['a server that answers 500', '/always-500.wav', [/status 500/, 'UNREACHABLE']],
    ['a server that never answers', '/hangs.wav', [/did not answer in time/, 'UNREACHABLE']],
    ['a file that stops to arrive', '/stalls.wav', [/ended before|No more bytes/, 'INCOMPLETE']],
    ['a file that is cut at half', '/always-cut.wav', [/ended before/, 'INCOMPLETE']],
    ['a web page', '/page', [/web page/, 'WRONG_KIND']],
    ['bytes that are not audio', '/text.wav', [/not audio of an accepted type/, 'WRONG_KIND']],
    ['an empty file', '/empty.wav', [/empty/, 'WRONG_SIZE']],
    ['a file of 6 GB', '/six-gigabytes.wav', [/at most 5 GB/, 'TOO_LARGE']],
    ['a compressed answer', '/gzip.wav', [/compressed/, 'NOT_SUPPORTED']],
    ['a compressed answer of S3', '/aws-gzip.wav', [/compressed/, 'NOT_SUPPORTED']],
    ...['X-Gzip', 'deflate', 'br', 'zstd', 'compress'].map(
      (name): Case => [
        `a file compressed by ${name}`,
        `/encoding-${name}.wav`,
        [/compressed/, 'NOT_SUPPORTED'],
      ],
    ),
    ['a redirect to itself', '/loop', [/more than 5 times/, 'UNREACHABLE']],
    ['a redirect to the metadata service', '/to-metadata', [/public internet/, 'NOT_ALLOWED']],
    ['a redirect to a private address', '/to-private', [/public internet/, 'NOT_ALLOWED']],
    ['a redirect with a password', '/to-user', [/redirect .* without credentials/, 'UNREACHABLE']],
    ['a redirect to a file', '/to-file', [/redirect must be an http or https/, 'UNREACHABLE']],
    ['a redirect that is too long', '/to-too-long', [/at most 8192 characters/, 'UNREACHABLE']],
    ['a redirect to nowhere', '/to-nothing', [/no new URL/, 'UNREACHABLE']],
  ];
  it.each(cases)(
    '%s, with the reason, and the video service keeps no file',
    async (_, path, [message, code]) => {
      const before = (await app.sentFiles()).filter(({ status }) => status === 200).length;
      const upload = await app.importUntilEnd({ url: files.url(path) });
      expect(upload).toMatchObject({
        status: 'FAILED',
        failure: { code: 'INVALID_INPUT', issues: [{ code }] },
      });
      expect(upload.failure?.message).toMatch(message);
      expect(upload.failure?.message).not.toMatch(/127\.0\.0\.1|169\.254|10\.0\.0/);
      expect((await app.sentFiles()).filter(({ status }) => status === 200).length).toBe(before);
    },
  );

  it('a bad URL and a bad name before anything is created', async () => {
    for (const url of ['ftp://example.com/a.wav', 'http://u:p@example.com/', 'http://10.0.0.1/']) {
      expect(await app.importUpload({ url })).toMatchObject({
        __typename: 'InvalidInputError',
        issues: [{ path: ['input', 'url'] }],
      });
    }
    expect(await app.importUpload({ url: files.url('/a.wav'), filename: '' })).toMatchObject({
      issues: [{ path: ['input', 'filename'], code: 'REQUIRED' }],
    });
  });

  it('hosts that are not public and malformed URLs, as for webhooks', async () => {
    const hosts = Object.values(refusedHosts).flatMap((group) => group.map(([host]) => host));
    expect(hosts.length).toBeGreaterThan(100);
    // One that may not import from its own machine.
    const closed = await startImportApp({ env: { OUTBOUND_ALLOWED_NETWORKS: '10.77.77.77' } });
    try {
      for (const host of hosts) {
        const { issues } = await closed.importUpload({ url: `http://${host}/a.wav` });
        expect([host, issues?.[0]?.code]).toEqual([host, 'NOT_ALLOWED']);
      }
      expect(await closed.sentFiles()).toEqual([]);
    } finally {
      await closed.stop();
    }
  });

  it('hostile addresses over every transport, and creates nothing', async () => {
    const hostile = [
      'http://169.254.169.254/latest/meta-data/',
      'http://[::1]/a.wav',
      'http://10.0.0.7/a.wav',
    ];
    const before = (await app.sentFiles()).length;
    const agent = await connectAgent({ url: app.url });
    const fetchFile = `mutation ($url: URL!) { importUpload(input: { kind: AUDIO, url: $url }) {
      __typename ... on InvalidInputError { issues { code } } } }`;
    const create = `mutation ($url: URL!) { createLipsync(input: { video: { url: $url }, speech: { url: $url } }) {
      __typename ... on InvalidInputError { issues { code } } } }`;
    const transports: Transport[] = ['POST', 'SSE by POST', 'WebSocket', 'multipart stream'];
    for (const url of hostile) {
      for (const query of [fetchFile, create]) {
        for (const transport of transports) {
          const operation = { query, variables: { url } };
          const result = JSON.stringify(await execute(transport, { url: app.url, operation }));
          expect([url, transport, result]).toEqual([
            url,
            transport,
            expect.stringContaining('NOT_ALLOWED'),
          ]);
        }
      }
      const imported = await agent.call('import_upload', { kind: 'AUDIO', url });
      expect(imported).toMatchObject({ isError: true, content: { code: 'INVALID_INPUT' } });
      const input = { video: { url }, speech: { url }, idempotencyKey: url };
      const created = await agent.call('create_lipsync', input);
      expect(created).toMatchObject({ isError: true, content: { code: 'INVALID_INPUT' } });
    }
    await agent.client.close();
    expect(await app.sentFiles()).toHaveLength(before);
  });

  it('more imports than the share of an owner, until one ends', async () => {
    const small = await startImportApp({ importWaits: { maxOpen: 2, idleMs: 60_000 } });
    try {
      const url = files.url('/held.wav');
      const { upload } = await small.importUpload({ url });
      expect(await small.importUpload({ url })).toMatchObject({ code: 'QUOTA_EXCEEDED' });
      await vi.waitFor(() => expect(held.has('/held.wav')).toBe(true), longWait);
      held.get('/held.wav')?.();
      await small.untilEnd(upload?.id ?? '');
      expect(await small.importUpload({ url: files.url('/a.wav') })).toMatchObject({
        __typename: 'ImportUploadSuccess',
      });
    } finally {
      await small.stop();
    }
  });

  it('a file that is larger than IMPORT_MAX_BYTES, also if it does not say so', async () => {
    const env = { IMPORT_MAX_BYTES: '20000' };
    const small = await startImportApp({ env });
    try {
      for (const path of ['/a.wav', '/chunked.wav']) {
        expect(await small.importUntilEnd({ url: files.url(path) })).toMatchObject({
          status: 'FAILED',
          failure: {
            message: 'A file can have at most 20000 bytes.',
            issues: [{ code: 'TOO_LARGE' }],
          },
        });
      }
      expect((await small.sentFiles()).filter(({ status }) => status === 200)).toEqual([]);
    } finally {
      await small.stop();
    }
  });

  it('a file that does not arrive within IMPORT_TIMEOUT_MS, retries included', async () => {
    const small = await startImportApp({
      env: { IMPORT_TIMEOUT_MS: '700' },
      importWaits: { idleMs: 60_000 },
    });
    try {
      expect(await small.importUntilEnd({ url: files.url('/stalls.wav') })).toMatchObject({
        status: 'FAILED',
        failure: { message: 'The file did not arrive within 0.7 seconds.' },
      });
    } finally {
      await small.stop();
    }
  });
});
