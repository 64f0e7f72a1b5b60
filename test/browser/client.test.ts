import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { launchBrowser } from '../support/browser.ts';
import { bundle } from '../support/client-bundle.ts';
import { type Line, openLine } from '../support/line.ts';
import { requestLipsync } from './lipsync.ts';

type Kit = typeof import('../../packages/client/src/client.ts');
type Update = { status: string; sequence: number };

/** What the page below leaves for the tests: the kit, and the example that needs no library at all. */
declare const kit: Kit;
declare const eventSource: typeof import('../../examples/event-source.ts');

const html = `<!doctype html><title>A page</title>
  <script type="module">
    import { eventSource, kit } from './kit.js';
    Object.assign(globalThis, { eventSource, kit });
  </script>`;
const root = join(import.meta.dirname, '../..');

let browser: Browser;
let line: Line;
let app: TestApp;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  // A page that a test makes up has no address, and so is not taken for one of this machine.
  const pages = 'LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets';
  browser = await launchBrowser(`--disable-features=${pages}`);
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
  page.on('pageerror', (error) => complaints.push(error.message));
});
afterAll(() => browser.close());

beforeEach(async () => {
  complaints = [];
  line = await openLine('http://127.0.0.1:1');
  app = await startTestApp({ env: { PUBLIC_URL: line.url }, sandbox: { generatingMs: 1_500 } });
  line.leadTo(app.url);
  await page.goto(`${line.url}/page.html`);
  await page.waitForFunction(() => 'kit' in globalThis);
});
afterEach(async () => {
  await line[Symbol.asyncDispose]();
  await app.stop();
  expect(complaints).toEqual([]);
});

describe('works', () => {
  test('a file goes out with its progress, and comes back as a video, although the line is cut', async () => {
    await page.exposeFunction('cut', () => line.cut());
    const result = await page.evaluate(
      async (video) => {
        const server = {
          url: '/graphql',
          transport: kit.serverSentEvents(),
          backOff: { firstMs: 10 },
        };
        // A WAV of twelve seconds.
        const sound = new Uint8Array(200_044);
        const header = 'UklGRmQNAwBXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YUANAwA=';
        sound.set(Uint8Array.from(atob(header), (each) => each.charCodeAt(0)));
        const file = new File([sound], 'hello.wav', { type: 'audio/wav' });
        const sent: number[] = [];
        const upload = await kit.uploadFile(server, file, {
          kind: 'AUDIO',
          onProgress: ({ sentBytes }) => sent.push(sentBytes),
        });
        if (upload.__typename !== 'UploadReady') throw new Error(JSON.stringify(upload));
        const sequences: number[] = [];
        const speech = { audioUploadId: upload.id };
        const end = await kit.makeLipsync(
          server,
          { video: { id: video }, speech },
          {
            onProgress: ({ sequence }) => {
              sequences.push(sequence);
              void (globalThis as unknown as { cut(): void }).cut();
            },
          },
        );
        return { end, sequences, sent };
      },
      await anyVideo(),
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

  test('the browser’s own EventSource comes back after a cut, without a gap or a repeat', async () => {
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
            if (seen.length === 2) void (globalThis as unknown as { cutOnce(): void }).cutOnce();
          },
        );
        return { outcome: end, sequences: seen };
      },
      await anyVideo(),
    );
    expect(outcome).toMatchObject({ url: expect.stringContaining('.mp4') });
    expect(sequences.length).toBeGreaterThan(2);
    expect(sequences).toEqual(sequences.map((_, at) => (sequences[0] ?? 0) + at));
  });

  test('an upload that a page gives up ends on the server too, and another one is taken', async () => {
    const outcomes = await page.evaluate(async () => {
      const server = { url: '/graphql', transport: kit.serverSentEvents() };
      const bytes = new Uint8Array(24 * 1024 ** 2);
      // The first bytes of an MP4.
      bytes.set(Uint8Array.from(atob('AAAAGGZ0eXBpc29tAAACAGlzb21pc28y'), (c) => c.charCodeAt(0)));
      const file = new File([bytes], 'face.mp4', { type: 'video/mp4' });
      const leaving = new AbortController();
      const left = await kit
        .uploadFile(server, file, {
          kind: 'VIDEO',
          signal: leaving.signal,
          onProgress: () => leaving.abort(new Error('I have left.')),
        })
        .catch((error: Error) => error.message);
      const again = await kit.uploadFile(server, file, { kind: 'VIDEO' });
      return [left, again.__typename];
    });
    expect(outcomes).toEqual(['I have left.', 'UploadReady']);
    await vi.waitFor(async () => {
      const states = await app.app.db.query('select state from uploads order by created_at');
      expect(states).toEqual([{ state: 'FAILED' }, { state: 'READY' }]);
    }, 10_000);
  });

  test('a page that is reloaded goes on over a WebSocket, with the id alone or from where it was', async () => {
    await app.turn({ generatingMs: 3_600_000 });
    const id = await requestLipsync(app);
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

async function anyVideo(): Promise<string> {
  const { data } = await app.ask<{ videos: { nodes: { id: string }[] } }>(
    '{ videos(first: 1, filter: { status: [COMPLETED] }) { ... on VideoConnection { nodes { id } } } }',
  );
  return data?.videos.nodes[0]?.id ?? '';
}
