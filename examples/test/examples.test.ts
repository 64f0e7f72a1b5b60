import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { EventSource } from 'eventsource';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestApp, type TestApp } from '../../test/support/app.ts';
import { type Line, openLine } from '../../test/support/line.ts';
import { readVideoIds } from '../../test/support/lipsyncs.ts';
import * as apollo from '../apollo.ts';
import * as apolloHttp from '../apollo-http.ts';
import * as eventSource from '../event-source.ts';
import type { Example, Progress } from '../example.ts';
import * as kit from '../kit.ts';
import * as page from '../page.ts';
import * as relay from '../relay/relay.ts';
import * as urql from '../urql.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..');
const audioFile = join(root, '../src/demo-media/speech.mp3');

const examples: { name: string; makeVideo: Example }[] = [
  { name: 'Apollo Client', ...apollo },
  { name: "Apollo Client's HttpLink alone", ...apolloHttp },
  { name: 'urql', ...urql },
  { name: 'Relay', ...relay },
  { name: 'EventSource', ...eventSource },
  { name: 'the kit', ...kit },
];

let app: TestApp;
let videoId: string;
beforeAll(async () => {
  // Browsers have it; Node has it only behind a flag.
  vi.stubGlobal('EventSource', EventSource);
  app = await startTestApp({
    sandbox: {
      accounts: [{ email: 'studio@sandbox.example', maxJobs: 8 }],
      queuedMs: 500,
      generatingMs: 5_000,
    },
  });
  [videoId = ''] = await readVideoIds(app);
});
afterAll(async () => {
  vi.unstubAllGlobals();
  await app.stop();
});

/** The sequence numbers in the whole log of the lip-sync with that text. */
async function readSequences(lipsyncText: string): Promise<number[]> {
  const { data: listed } = await app.ask<{ lipsyncs: { nodes: { id: string; text: string }[] } }>(
    '{ lipsyncs(first: 100) { nodes { id text } } }',
  );
  const id = listed?.lipsyncs.nodes.find((each) => each.text === lipsyncText)?.id;
  const { data } = await app.ask<{ lipsync: { events: { nodes: { sequence: number }[] } } }>(
    'query ($id: ID!) { lipsync(id: $id) { events(first: 100) { nodes { sequence } } } }',
    { id },
  );
  return data?.lipsync.events.nodes.map(({ sequence }) => sequence) ?? [];
}

/** Interrupts the network until the log has an event that the client has missed. */
async function interruptUntilNextEvent(
  line: Line,
  lipsyncText: string,
  lastSequence: number,
): Promise<void> {
  line.breakDown();
  await vi.waitFor(
    async () => expect((await readSequences(lipsyncText)).at(-1)).toBeGreaterThan(lastSequence),
    {
      timeout: 60_000,
    },
  );
  line.mend();
}

describe.concurrent.each(examples)('$name', ({ name, makeVideo }) => {
  test('creates a lip-sync and receives every event over a connection that is cut once', async () => {
    await using line = await openLine(app.url);
    const seen: Progress[] = [];
    const lipsyncText = `Hello from ${name}`;
    let connectionsBefore = 0;
    let interruption = Promise.resolve();
    const outcome = await makeVideo(
      `${line.url}/graphql`,
      { videoId, text: lipsyncText },
      (progress) => {
        if (seen.length === 0) {
          connectionsBefore = line.count;
          interruption = interruptUntilNextEvent(line, lipsyncText, progress.sequence);
        }
        seen.push(progress);
      },
    );
    await interruption;
    expect(outcome).toMatchObject({ url: expect.stringMatching(/^http.*\.mp4$/) });
    const sequences = seen.map(({ sequence }) => sequence);
    const log = await readSequences(lipsyncText);
    expect(sequences.length).toBeGreaterThan(1);
    expect(sequences).toEqual(log.slice(log.indexOf(sequences[0] ?? 0)));
    expect(seen.at(-1)).toMatchObject({ status: 'COMPLETED', percent: 100 });
    expect(line.count).toBeGreaterThan(connectionsBefore);
  });

  test('returns failures as data, of the creation and of the finished lip-sync', async () => {
    const url = `${app.url}/graphql`;
    const unknownVideo = { videoId: 'none', text: 'Hello' };
    expect(await makeVideo(url, unknownVideo, () => undefined)).toMatchObject({
      code: 'NOT_FOUND',
    });
    const moderated = { videoId, text: `[[moderated]] ${name}` };
    expect(await makeVideo(url, moderated, () => undefined)).toMatchObject({
      code: 'CONTENT_MODERATED',
    });
  });
});

describe('node-script.ts', () => {
  const start = (url: string, file: string, video: string) =>
    spawn(process.execPath, ['node-script.ts', file, video], {
      cwd: root,
      env: { PATH: process.env.PATH, LIPSYNC_URL: `${url}/graphql` },
    });

  test('uploads, creates, and receives every event over a connection that is cut once', async () => {
    await using line = await openLine(app.url);
    const script = start(line.url, audioFile, videoId);
    const lines: string[] = [];
    for await (const each of createInterface({ input: script.stdout })) {
      if (/^\d+ \w+ /.test(each) && !lines.some((earlier) => /^\d/.test(earlier))) line.cut();
      lines.push(each);
    }
    expect(lines[0]).toMatch(/^sent \d+ %$/);
    expect(lines).toContain('sent 100 %');
    expect(lines.at(-2)).toMatch(/^\d+ COMPLETED 100 %$/);
    expect(lines.at(-1)).toMatch(/^http.*\.mp4$/);
    const sequences = lines.flatMap((each) => /^(\d+) /.exec(each)?.[1] ?? []).map(Number);
    expect(sequences).toEqual(sequences.map((_, at) => (sequences[0] ?? 0) + at));
    expect(sequences.length).toBeGreaterThan(1);
  });

  test('prints the failure and exits with 1', async () => {
    const script = start(app.url, audioFile, 'none');
    const [output, [code]] = await Promise.all([text(script.stderr), once(script, 'close')]);
    expect(output).toMatch(/^.+ \[NOT_FOUND\]\n$/);
    expect(code).toBe(1);
  });
});

describe('page.ts', () => {
  /** As `sessionStorage` of a new tab. */
  function openStorage(): page.TabStorage {
    const items = new Map<string, string>();
    return {
      getItem: (key) => items.get(key) ?? null,
      setItem: (key, value) => void items.set(key, value),
      removeItem: (key) => void items.delete(key),
    };
  }
  const { signal } = new AbortController();

  test('uploads, creates, and continues after a reload', async () => {
    const server = page.connect(`${app.url}/graphql`, async () => null);
    const storage = openStorage();
    const shown: Parameters<page.Show>[0][] = [];
    const show: page.Show = (state) => void shown.push(state);
    const audio = new File([await readFile(audioFile)], 'speech.mp3', { type: 'audio/mpeg' });
    const uploadId = (await page.upload(server, audio, show)) ?? '';
    expect(shown.at(-1)).toEqual({ percent: 100 });

    const input = { video: { videoId }, speech: { uploadId } };
    await page.create(server, storage, { input, show });
    const reload = new AbortController();
    const watching = page.watch(server, storage, {
      show: () => reload.abort(new Error('Reloaded.')),
      signal: reload.signal,
    });
    await expect(watching).rejects.toThrow('Reloaded.');
    const cursorBefore = storage.getItem('cursor');
    expect(cursorBefore).not.toBeNull();

    shown.length = 0;
    await page.watch(server, storage, { show, signal });
    expect(shown.at(-1)).toEqual({
      percent: 100,
      text: 'COMPLETED',
      url: expect.stringMatching(/\.mp4$/),
    });
    // Every event after the last one before the reload, once.
    const { data } = await app.ask<{ lipsync: { events: { nodes: { percent: number }[] } } }>(
      `query ($id: ID!, $after: String) {
        lipsync(id: $id) { events(first: 100, after: $after) { nodes { percent } } }
      }`,
      { id: storage.getItem('lipsync'), after: cursorBefore },
    );
    expect(shown.map(({ percent }) => percent)).toEqual(
      data?.lipsync.events.nodes.map(({ percent }) => percent),
    );

    // A cursor belongs to one lip-sync: the next one starts without it.
    await page.create(server, storage, { input, show });
    expect(storage.getItem('cursor')).toBeNull();
  });

  test('shows the message of a failure', async () => {
    const server = page.connect(`${app.url}/graphql`, async () => null);
    const show = vi.fn();
    const input = { video: { videoId: 'none' }, speech: { script: { text: 'Hello.' } } };
    await page.create(server, openStorage(), { input, show });
    expect(show).toHaveBeenCalledExactlyOnceWith({ text: expect.stringContaining('not found') });
    await page.watch(server, openStorage(), { show, signal });
    expect(show).toHaveBeenCalledTimes(1);
  });
});

describe('Relay', () => {
  test('reads every page of the videos, lip-syncs and uploads of the viewer, and each node by its id', async () => {
    const { environment, close } = relay.connect(`${app.url}/graphql`);
    const { data } = await app.ask<{ lipsyncs: { nodes: { id: string }[] } }>(
      '{ lipsyncs(first: 100) { nodes { id } } }',
    );
    const ids = data?.lipsyncs.nodes.map(({ id }) => id) ?? [];
    expect(ids.length).toBeGreaterThan(4);
    const whole = await relay.readAll(environment, 'lipsyncs', 2);
    expect(whole?.edges.map(({ node }) => node.id)).toEqual(ids);
    const videos = await app.ask<{ videos: { nodes: { id: string }[] } }>(
      '{ videos(first: 100) { ... on VideoConnection { nodes { id } } } }',
    );
    const allVideos = await relay.readAll(environment, 'videos', 2);
    expect(allVideos?.edges.map(({ node }) => node.id)).toEqual(
      videos.data?.videos.nodes.map(({ id }) => id),
    );
    const { data: uploaded } = await app.ask<{ viewer: { uploads: { nodes: { id: string }[] } } }>(
      '{ viewer { uploads(first: 100) { nodes { id } } } }',
    );
    const uploads = await relay.readAll(environment, 'uploads', 1);
    expect(uploads?.edges.length).toBeGreaterThan(1);
    expect(uploads?.edges.map(({ node }) => node.id)).toEqual(
      uploaded?.viewer.uploads.nodes.map(({ id }) => id),
    );
    for (const id of ids) {
      expect(await relay.readNode(environment, id)).toMatchObject({ __typename: 'Lipsync', id });
    }
    expect(await relay.readNode(environment, 'none')).toBeNull();
    await close();
  });

  test('the generated artifacts match the documents and the schema (`npm run relay` writes them)', async () => {
    await run(process.execPath, ['relay/compile.ts', '--validate'], { cwd: root });
  });
});

describe('the package', () => {
  test('the examples pass the type check', async () => {
    const tsc = join(root, '../node_modules/.bin/tsc');
    const { stdout } = await run(tsc, ['-p', root]).catch((error: { stdout: string }) => error);
    expect(stdout).toBe('');
  });

  test('the lockfile has no registry URLs', async () => {
    const lockfile = await readFile(join(root, 'package-lock.json'), 'utf8');
    const { packages } = JSON.parse(lockfile) as {
      packages: Record<string, { resolved?: string }>;
    };
    const resolved = Object.values(packages).flatMap((each) => each.resolved ?? []);
    // The kit is a link.
    expect(resolved).toEqual(['../packages/client']);
    expect(lockfile).not.toMatch(/https?:\/\/[^"]*\.tgz/);
  });

  test.each([
    'node examples/run.ts apollo',
    'node examples/run.ts event-source',
    'node examples/run.ts kit',
  ])('%s', async (command) => {
    const { stdout } = await run('sh', ['-c', command], {
      cwd: join(root, '..'),
      env: { PATH: process.env.PATH, LIPSYNC_URL: `${app.url}/graphql` },
    });
    expect(stdout).toMatch(/COMPLETED 100 %\nhttp.*\.mp4\n$/);
  });
});
