import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { bundleClient } from '../support/client-bundle.ts';
import { type Line, openLine } from '../support/line.ts';
import { requestLipsync } from './lipsync.ts';

type Kit = typeof import('../../src/client/client.ts');
type Update = { status: string; sequence: number };

/** What the page below leaves for the tests. */
declare const kit: Kit;

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const html = `<!doctype html><title>A page</title>
  <script type="module">import * as kit from './kit.js'; globalThis.kit = kit;</script>`;

let browser: Browser;
let line: Line;
let app: TestApp;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  browser = await chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      // A page that a test makes up has no address, and so is not taken for one of this machine.
      '--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets',
    ],
  });
  const names = ['makeLipsync', 'uploadFile', 'watchLipsync', 'serverSentEvents', 'webSocket'];
  const code = await bundleClient(names);
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
