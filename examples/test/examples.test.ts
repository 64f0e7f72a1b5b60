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
import * as apollo from '../apollo.ts';
import * as eventSource from '../event-source.ts';
import type { Example, Progress } from '../example.ts';
import * as kit from '../kit.ts';
import * as page from '../page.ts';
import * as relay from '../relay/relay.ts';
import * as urql from '../urql.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..');
const speech = join(root, '../src/demo-media/speech.mp3');

const examples: { name: string; makeVideo: Example }[] = [
  { name: 'Apollo Client', ...apollo },
  { name: 'urql', ...urql },
  { name: 'Relay', ...relay },
  { name: 'EventSource', ...eventSource },
  { name: 'the kit', ...kit },
];

let app: TestApp;
let videoId: string;
beforeAll(async () => {
  // A browser has it; Node only has it behind a flag.
  vi.stubGlobal('EventSource', EventSource);
  app = await startTestApp({
    sandbox: {
      accounts: [{ email: 'studio@sandbox.example', maxJobs: 8 }],
      queuedMs: 500,
      generatingMs: 1_500,
    },
  });
  const { data } = await app.ask<{ videos: { nodes: { id: string }[] } }>(
    '{ videos(filter: { status: [COMPLETED] }) { ... on VideoConnection { nodes { id } } } }',
  );
  videoId = data?.videos.nodes[0]?.id ?? '';
});
afterAll(async () => {
  vi.unstubAllGlobals();
  await app.stop();
});

/** The whole log of the lip-sync with that text. */
async function logOf(said: string): Promise<number[]> {
  const { data: listed } = await app.ask<{ lipsyncs: { nodes: { id: string; text: string }[] } }>(
    '{ lipsyncs(first: 100) { nodes { id text } } }',
  );
  const id = listed?.lipsyncs.nodes.find((each) => each.text === said)?.id;
  const { data } = await app.ask<{ lipsync: { events: { nodes: { sequence: number }[] } } }>(
    'query ($id: ID!) { lipsync(id: $id) { events(first: 100) { nodes { sequence } } } }',
    { id },
  );
  return data?.lipsync.events.nodes.map(({ sequence }) => sequence) ?? [];
}

/** Cuts the line, and mends it when something has happened that the client must have missed. */
async function breakUntilMore(line: Line, said: string, seen: number): Promise<void> {
  line.breakDown();
  await vi.waitFor(async () => expect((await logOf(said)).at(-1)).toBeGreaterThan(seen), {
    timeout: 20_000,
  });
  line.mend();
}

describe.concurrent.each(examples)('$name', ({ name, makeVideo }) => {
  test('creates, and follows over a connection that is cut once, without a gap', async () => {
    await using line = await openLine(app.url);
    const seen: Progress[] = [];
    const said = `Hello from ${name}`;
    let before = 0;
    let away = Promise.resolve();
    const outcome = await makeVideo(`${line.url}/graphql`, { videoId, text: said }, (progress) => {
      if (seen.length === 0) {
        before = line.count;
        away = breakUntilMore(line, said, progress.sequence);
      }
      seen.push(progress);
    });
    await away;
    expect(outcome).toMatchObject({ url: expect.stringMatching(/^http.*\.mp4$/) });
    const sequences = seen.map(({ sequence }) => sequence);
    const log = await logOf(said);
    expect(sequences.length).toBeGreaterThan(1);
    expect(sequences).toEqual(log.slice(log.indexOf(sequences[0] ?? 0)));
    expect(seen.at(-1)).toMatchObject({ status: 'COMPLETED', percent: 100 });
    expect(line.count).toBeGreaterThan(before);
  });

  test('has a failure as data, before there is a lip-sync and after', async () => {
    const url = `${app.url}/graphql`;
    const unknown = { videoId: 'none', text: 'Hello' };
    expect(await makeVideo(url, unknown, () => undefined)).toMatchObject({ code: 'NOT_FOUND' });
    const moderated = { videoId, text: `[[moderated]] ${name}` };
    expect(await makeVideo(url, moderated, () => undefined)).toMatchObject({
      code: 'CONTENT_MODERATED',
    });
  });
});

describe('the script', () => {
  const start = (url: string, file: string, video: string) =>
    spawn(process.execPath, ['node-script.ts', file, video], {
      cwd: root,
      env: { PATH: process.env.PATH, LIPSYNC_URL: `${url}/graphql` },
    });

  test('uploads, creates, and follows over a connection that is cut once, without a gap', async () => {
    await using line = await openLine(app.url);
    const script = start(line.url, speech, videoId);
    const said: string[] = [];
    for await (const each of createInterface({ input: script.stdout })) {
      if (/^\d+ \w+ /.test(each) && !said.some((earlier) => /^\d/.test(earlier))) line.cut();
      said.push(each);
    }
    expect(said[0]).toMatch(/^sent \d+ %$/);
    expect(said).toContain('sent 100 %');
    expect(said.at(-2)).toMatch(/^\d+ COMPLETED 100 %$/);
    expect(said.at(-1)).toMatch(/^http.*\.mp4$/);
    const sequences = said.flatMap((each) => /^(\d+) /.exec(each)?.[1] ?? []).map(Number);
    expect(sequences).toEqual(sequences.map((_, at) => (sequences[0] ?? 0) + at));
    expect(sequences.length).toBeGreaterThan(1);
  });

  test('says in words why there is none', async () => {
    const script = start(app.url, speech, 'none');
    const [said, [code]] = await Promise.all([text(script.stderr), once(script, 'close')]);
    expect(said).toMatch(/^The video was not found\. \[NOT_FOUND\]\n$/);
    expect(code).toBe(1);
  });
});

describe('the page', () => {
  /** As the browser keeps it for a tab. */
  function keep(): page.Kept {
    const items = new Map<string, string>();
    return {
      getItem: (key) => items.get(key) ?? null,
      setItem: (key, value) => void items.set(key, value),
      removeItem: (key) => void items.delete(key),
    };
  }
  const { signal } = new AbortController();

  test('uploads, creates, is reloaded in the middle, and shows the rest to the end', async () => {
    const server = page.connect(`${app.url}/graphql`, async () => null);
    const kept = keep();
    const shown: Parameters<page.Show>[0][] = [];
    const show: page.Show = (told) => void shown.push(told);
    const sound = new File([await readFile(speech)], 'speech.mp3', { type: 'audio/mpeg' });
    const audioUploadId = (await page.upload(server, sound, show)) ?? '';
    expect(shown.at(-1)).toEqual({ percent: 100 });

    const input = { video: { id: videoId }, speech: { audioUploadId } };
    await page.create(server, kept, { input, show });
    const reload = new AbortController();
    const leaving = page.follow(server, kept, {
      show: () => reload.abort(new Error('Reloaded.')),
      signal: reload.signal,
    });
    await expect(leaving).rejects.toThrow('Reloaded.');
    const seenBefore = kept.getItem('at');
    expect(seenBefore).not.toBeNull();

    shown.length = 0;
    await page.follow(server, kept, { show, signal });
    expect(shown.at(-1)).toEqual({
      percent: 100,
      words: 'COMPLETED',
      url: expect.stringMatching(/\.mp4$/),
    });
    // All that came after what it had seen.
    const { data } = await app.ask<{ lipsync: { events: { nodes: { percent: number }[] } } }>(
      `query ($id: ID!, $after: String) {
        lipsync(id: $id) { events(first: 100, after: $after) { nodes { percent } } }
      }`,
      { id: kept.getItem('lipsync'), after: seenBefore },
    );
    expect(shown.map(({ percent }) => percent)).toEqual(
      data?.lipsync.events.nodes.map(({ percent }) => percent),
    );
  });

  test('shows words for what can not be made', async () => {
    const server = page.connect(`${app.url}/graphql`, async () => null);
    const show = vi.fn();
    const input = { video: { id: 'none' }, speech: { text: { text: 'Hello.' } } };
    await page.create(server, keep(), { input, show });
    expect(show).toHaveBeenCalledExactlyOnceWith({ words: 'The video was not found.' });
    await page.follow(server, keep(), { show, signal });
    expect(show).toHaveBeenCalledTimes(1);
  });
});

describe('Relay', () => {
  test('pages a connection to its end, and finds each node by its id', async () => {
    const { environment, close } = relay.connect(`${app.url}/graphql`);
    const { data } = await app.ask<{ lipsyncs: { nodes: { id: string }[] } }>(
      '{ lipsyncs(first: 100) { nodes { id } } }',
    );
    const ids = data?.lipsyncs.nodes.map(({ id }) => id) ?? [];
    expect(ids.length).toBeGreaterThan(4);
    const whole = await relay.readAll(environment, 2);
    expect(whole?.edges.map(({ node }) => node.id)).toEqual(ids);
    for (const id of ids) {
      expect(await relay.readNode(environment, id)).toMatchObject({ __typename: 'Lipsync', id });
    }
    expect(await relay.readNode(environment, 'none')).toBeNull();
    await close();
  });

  test('its artifacts are those of its documents and the schema: `npm run relay` writes them', async () => {
    await run(process.execPath, ['relay/compile.ts', '--validate'], { cwd: root });
  });
});

describe('the package', () => {
  test('the examples are well typed', async () => {
    const tsc = join(root, '../node_modules/.bin/tsc');
    const { stdout } = await run(tsc, ['-p', root]).catch((error: { stdout: string }) => error);
    expect(stdout).toBe('');
  });

  test('its lockfile holds no address', async () => {
    const lockfile = await readFile(join(root, 'package-lock.json'), 'utf8');
    const { packages } = JSON.parse(lockfile) as {
      packages: Record<string, { resolved?: string }>;
    };
    const resolved = Object.values(packages).flatMap((each) => each.resolved ?? []);
    // The kit itself is a link.
    expect(resolved).toEqual(['..']);
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
