import { readFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FakeUpstream, startFakeUpstream } from '../support/fake-upstream/server.ts';
import { idOf, type LipsyncApp, startLipsyncApp } from '../support/lipsync-app.ts';
import { inputOf } from '../support/lipsyncs.ts';
import { root } from './pages.ts';

/** The longest list of files that each heading of the page may have. */
const maxFiles = { createLipsync: 30, 'a callback': 18 };
type Way = keyof typeof maxFiles;

const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8');

/** The files that the page lists for the way. */
function listed(way: Way): string[] {
  const [, table = ''] = page.split('### The files on both ways');
  const row = table.split('\n').find((line) => line.replaceAll('`', '').startsWith(`| ${way} `));
  return [...(row ?? '').matchAll(/`(src\/[^`]+)`/g)].map(([, file = '']) => file);
}

/** They create the listed files at the start. */
const wiring = new Set([
  'src/app.ts',
  'src/services.ts',
  'src/server/subscriptions/open.ts',
  'src/server/websocket/server.ts',
]);

/** Runs whenever a slot may be free, perhaps during a callback. */
const besideCallbacks = 'src/domains/lipsyncs/dispatch/';

const isBeside = (file: string, way: Way) =>
  wiring.has(file) ||
  file === `${besideCallbacks}scheduler.ts` ||
  (way === 'a callback' && file.startsWith(besideCallbacks));

const isStore = (file: string) =>
  /(^|\/)([\w-]+-)?store\.ts$|\/store\/[^/]+\.ts$|^src\/database\//.test(file);

/** The files whose values, not only types, the file imports. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  return [...text.matchAll(/^import (?!type )([^;]*?) from '(\.[^']+)'/gm)]
    .filter(([, names = '']) => /(^|[{,])\s*(?!type )\w/.test(names.replace('{', '{,')))
    .map(([, , path = '']) => normalize(join(file, '..', path)));
}

/** Records the files of `src` in which functions run. */
async function openRecorder() {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
  return {
    /** The files since the last call. */
    async take(): Promise<Set<string>> {
      const { result } = await session.post('Profiler.takePreciseCoverage');
      const files = result
        .filter(({ functions }) => functions.some(({ ranges }) => (ranges[0]?.count ?? 0) > 0))
        .map(({ url }) => relative(root, url.startsWith('file:') ? fileURLToPath(url) : url));
      return new Set(files.filter((file) => file.startsWith('src/')));
    },
    async close(): Promise<void> {
      await session.post('Profiler.stopPreciseCoverage');
      session.disconnect();
    },
  };
}

let upstream: FakeUpstream;
let app: LipsyncApp;
const ran = new Map<Way, Set<string>>();

beforeAll(async () => {
  upstream = await startFakeUpstream();
  upstream.addVideo('studio@example.com', 'A face');
  const hour = 3_600_000;
  // No poll and no tick, which would run other files.
  app = await startLipsyncApp({
    upstream,
    env: { POLL_INTERVAL_MS: String(hour) },
    intervals: { tickMs: hour },
  });
  const [video = ''] = await app.listVideoIds();
  // What only the first request does, such as preparing the document, is done.
  await app.create(inputOf(video, 'One.'));
  await upstream.nextJob();
  const recorder = await openRecorder();
  try {
    const id = idOf(await app.create(inputOf(video, 'Two.')));
    ran.set('createLipsync', await recorder.take());
    const job = await upstream.nextJob();
    const events = app.subscribe(id)[Symbol.asyncIterator]();
    await events.next();
    await recorder.take();
    const news = events.next();
    await job.become(9);
    expect((await news).value).toMatchObject({
      data: { lipsyncProgress: { status: 'GENERATING', source: 'CALLBACK' } },
    });
    ran.set('a callback', await recorder.take());
    await events.return?.();
  } finally {
    await recorder.close();
  }
});
afterAll(async () => {
  await app?.stop();
  await upstream?.close();
});

describe.each(Object.keys(maxFiles) as Way[])('docs/architecture.md, the files of %s', (way) => {
  test('are few enough to be read in one go', () => {
    expect(listed(way).length).toBeGreaterThan(5);
    expect(listed(way).length).toBeLessThanOrEqual(maxFiles[way]);
  });

  test('run when it happens', () => {
    expect(listed(way).filter((file) => !ran.get(way)?.has(file))).toEqual([]);
  });

  // A store, or a file that only returns a value to a listed file, calls none of them.
  test('are all that call a listed file', () => {
    const files = new Set(listed(way));
    const missing = [...(ran.get(way) ?? [])].filter(
      (file) =>
        !files.has(file) &&
        !isBeside(file, way) &&
        !isStore(file) &&
        importsOf(file).some((each) => files.has(each)),
    );
    expect(missing).toEqual([]);
  });
});
