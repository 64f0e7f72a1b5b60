import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { launchBrowser } from '../support/browser.ts';
import { bundle } from '../support/client-bundle.ts';
import { type Line, openLine } from '../support/line.ts';
import { createLipsync, longWait, readVideoIds } from '../support/lipsyncs.ts';

type Kit = typeof import('../../packages/client/src/client.ts');
type Update = { status: string; sequence: number };

/** Globals of the page below: the kit, and the example without a library. */
declare const kit: Kit;
declare const eventSource: typeof import('../../examples/event-source.ts');

const html = `<!doctype html><title>Test page</title>
  <script type="module">
    import { eventSource, kit } from './kit.js';
    Object.assign(globalThis, { eventSource, kit });
  </script>`;
const root = join(import.meta.dirname, '../..');

let browser: Browser;
let line: Line;
let app: TestApp;
let page: Page;
let pageErrors: string[];

beforeAll(async () => {
  // A page from a fulfilled route has no IP address, so Chromium does not count it as local.
  const localNetworkChecks = 'LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets';
  browser = await launchBrowser(`--disable-features=${localNetworkChecks}`);
  const code = await bundle(`
    export * as kit from '${join(root, 'packages/client/src/client.ts')}';
    export * as eventSource from '${join(root, 'examples/event-source.ts')}';`);
  const context = await browser.newContext();
  await context.route('**/page.html', (route) =>
    route.fulfill({ body: html, contentType: 'text/html' }),
  );
  await context.route('**/kit.js', (route) =>
    route.fulfill({ body: code, contentType: 'text/javascript' }),
  );
  page = await context.newPage();
  page.on('pageerror', (error) => pageErrors.push(error.message));
});
afterAll(() => browser.close());

beforeEach(async () => {
  pageErrors = [];
  line = await openLine('http://127.0.0.1:1');
  app = await startTestApp({ env: { PUBLIC_URL: line.url }, sandbox: { generatingMs: 1_500 } });
  line.leadTo(app.url);
  await page.goto(`${line.url}/page.html`);
  await page.waitForFunction(() => 'kit' in globalThis);
});
afterEach(async () => {
  await line[Symbol.asyncDispose]();
  await app.stop();
  expect(pageErrors).toEqual([]);
});

describe('works', () => {
  test('uploads a file with progress, and makes a video of it although each event cuts the connection', async () => {
    await page.exposeFunction('cut', () => line.cut());
    const result = await page.evaluate(
      async (video) => {
        const server = {
          url: '/graphql',
          transport: kit.serverSentEvents(),
          backOff: { firstMs: 10 },
        };
        // A WAV of twelve seconds.
        const audio = new Uint8Array(200_044);
        const header = 'UklGRmQNAwBXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YUANAwA=';
        audio.set(Uint8Array.from(atob(header), (each) => each.charCodeAt(0)));
        const file = new File([audio], 'hello.wav', { type: 'audio/wav' });
        const sent: number[] = [];
        const upload = await kit.uploadFile(server, file, {
          kind: 'AUDIO',
          onProgress: ({ sentBytes }) => sent.push(sentBytes),
        });
        if (upload.__typename !== 'UploadReady') throw new Error(JSON.stringify(upload));
        const sequences: number[] = [];
        const speech = { uploadId: upload.id };
        const end = await kit.makeLipsync(
          server,
          { video: { videoId: video }, speech },
          {
            onProgress: ({ sequence }) => {
              sequences.push(sequence);
              void (globalThis as unknown as { cut(): void }).cut();
            },
          },
        );
        return { end, sequences, sent };
      },
      await findVideoId(),
    );
    expect(result.end).toMatchObject({
      outcome: 'COMPLETED',
      video: { url: expect.stringContaining('.mp4') },
    });
    expect(result.sent.at(-1)).toBe(200_044);
    const [first = 0] = result.sequences;
    expect(result.sequences).toEqual(result.sequences.map((_, at) => first + at));
    expect(result.sequences.length).toBeGreaterThan(1);
  });

  test('the EventSource of the browser resumes after a cut, without a gap or a repeat', async () => {
    await app.turn({ generatingMs: 4_000 });
    await page.exposeFunction('cutOnce', () => line.cut());
    const { outcome, sequences } = await page.evaluate(
      async (videoId) => {
        const seen: number[] = [];
        const end = await eventSource.makeVideo(
          '/graphql',
          { videoId, text: 'Hello.' },
          ({ sequence }) => {
            seen.push(sequence);
            if (seen.length === 1) void (globalThis as unknown as { cutOnce(): void }).cutOnce();
          },
        );
        return { outcome: end, sequences: seen };
      },
      await findVideoId(),
    );
    expect(outcome).toMatchObject({ url: expect.stringContaining('.mp4') });
    expect(sequences.length).toBeGreaterThan(1);
    expect(sequences).toEqual(sequences.map((_, at) => (sequences[0] ?? 0) + at));
  });

  test('an aborted upload fails on the server, and a second one succeeds', async () => {
    const readStates = () => app.app.db.query('select state from uploads order by created_at');
    await page.exposeFunction('waitUntilReceiving', async () => {
      await vi.waitFor(async () => expect(await readStates()).toEqual([{ state: 'RECEIVING' }]), {
        timeout: 60_000,
        interval: 5,
      });
    });
    await app.turn({ trickleBytesPerSecond: 4 * 1024 ** 2 });
    await page.exposeFunction('endTrickle', async () => {
      await app.turn({ trickleBytesPerSecond: null });
    });
    const outcomes = await page.evaluate(async () => {
      const server = { url: '/graphql', transport: kit.serverSentEvents() };
      // The first bytes of an MP4.
      const head = Uint8Array.from(atob('AAAAGGZ0eXBpc29tAAACAGlzb21pc28y'), (c) =>
        c.charCodeAt(0),
      );
      const mebibytes = (count: number) =>
        new File([head, ...Array(count).fill(new Uint8Array(1024 ** 2))], 'face.mp4', {
          type: 'video/mp4',
        });
      const aborting = new AbortController();
      const aborted = await kit
        // Takes 16 seconds, so that it is not complete before it is aborted.
        .uploadFile(server, mebibytes(64), {
          kind: 'VIDEO',
          signal: aborting.signal,
          onProgress: () =>
            void (globalThis as unknown as { waitUntilReceiving(): Promise<void> })
              .waitUntilReceiving()
              .then(() => aborting.abort(new Error('Aborted.'))),
        })
        .catch((error: Error) => error.message);
      await (globalThis as unknown as { endTrickle(): Promise<void> }).endTrickle();
      const second = await kit.uploadFile(server, mebibytes(24), { kind: 'VIDEO' });
      return [aborted, second.__typename];
    });
    expect(outcomes).toEqual(['Aborted.', 'UploadReady']);
    await vi.waitFor(async () => {
      expect(await readStates()).toEqual([{ state: 'FAILED' }, { state: 'READY' }]);
    }, longWait);
  });

  test('continues over a WebSocket after a reload, from the id or from the cursor', async () => {
    await app.turn({ generatingMs: 3_600_000 });
    const { id } = await createLipsync(app);
    const first = await page.evaluate(async (lipsync) => {
      const server = { url: '/graphql', transport: kit.webSocket() };
      for await (const update of kit.watchLipsync(server, lipsync)) {
        if (update.__typename === 'LipsyncProgress') return update.cursor;
      }
      return null;
    }, id);
    await page.reload();
    await page.waitForFunction(() => 'kit' in globalThis);
    const watching = page.evaluate(
      async ({ lipsync, after }) => {
        const server = { url: '/graphql', transport: kit.webSocket() };
        const collect = async (options: { after?: string | null }) => {
          const seen: Update[] = [];
          for await (const update of kit.watchLipsync(server, lipsync, options)) {
            if (update.__typename === 'LipsyncProgress') seen.push(update);
          }
          return seen;
        };
        return Promise.all([collect({}), collect({ after })]);
      },
      { lipsync: id, after: first },
    );
    await app.finishJobs();
    const [fromId, fromCursor] = await watching;
    expect(fromId.at(-1)).toMatchObject({ status: 'COMPLETED' });
    expect(fromCursor.at(-1)).toMatchObject({ status: 'COMPLETED' });
    const sequences = fromCursor.map(({ sequence }) => sequence);
    expect(sequences).toEqual(sequences.map((_, at) => (sequences[0] ?? 0) + at));
  });
});

async function findVideoId(): Promise<string> {
  const [id = ''] = await readVideoIds(app);
  return id;
}
