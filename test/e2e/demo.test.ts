import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ALL_FORMATS, FilePathSource, Input } from 'mediabunny';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createPace } from '../../src/demo/pace.ts';
import { wavHeader } from '../support/wav.ts';

const root = join(import.meta.dirname, '../..');
const speech = join(root, 'src/demo-media/speech.mp3');

const { NODE_COMPILE_CACHE } = process.env;

let home: string;
let cwd: string;
let temporary: string;
const running = new Set<ChildProcess>();

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'lipsync-demo-test-'));
  cwd = await mkdtemp(join(home, 'cwd-'));
  temporary = await mkdtemp(join(home, 'tmp-'));
});

afterEach(async () => {
  for (const child of running) child.kill('SIGKILL');
  await rm(home, { recursive: true, force: true });
});

type Run = {
  child: ChildProcess;
  /** Resolves with the whole of stdout so far once it contains this text. */
  said(words: string): Promise<string>;
  end: Promise<{ code: number | null; stdout: string; stderr: string }>;
};

function runDemo(words: string[], variables: Record<string, string> = {}): Run {
  const child = spawn(process.execPath, [join(root, 'src/demo.ts'), ...words], {
    cwd,
    // Only these variables, so that the shell of the test run has no influence. Compiled code is shared between runs.
    env: { PATH: process.env.PATH, TMPDIR: temporary, NODE_COMPILE_CACHE, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const heard = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    heard.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    heard.stderr += chunk;
  });
  const end = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    child.once('close', (code) => {
      running.delete(child);
      resolve({ code, ...heard });
    });
  });
  const said = (wanted: string) =>
    new Promise<string>((resolve, reject) => {
      const look = () => heard.stdout.includes(wanted) && resolve(heard.stdout);
      look();
      child.stdout.on('data', look);
      child.once('close', () => reject(new Error(`It never said “${wanted}”: ${heard.stderr}`)));
    });
  return { child, said, end };
}

/** Folders of this product only: Node keeps compiled code there too. */
async function findLeftovers(): Promise<string[]> {
  return (await readdir(temporary)).filter((name) => name.startsWith('lipsync-'));
}

async function demux(path: string) {
  const input = new Input({ source: new FilePathSource(path), formats: ALL_FORMATS });
  try {
    const tracks = await input.getTracks();
    const audio = await input.getPrimaryAudioTrack();
    return {
      kinds: tracks.map(({ type }) => type).toSorted(),
      audioSeconds: (await audio?.computeDuration()) ?? 0,
      seconds: await input.computeDuration(),
    };
  } finally {
    input.dispose();
  }
}

async function secondsOf(path: string): Promise<number> {
  const input = new Input({ source: new FilePathSource(path), formats: ALL_FORMATS });
  return input.computeDuration().finally(() => input.dispose());
}

/** A tone of 440 Hz: 16 bit, mono, 22 050 samples a second. */
function makeWav(seconds: number): Buffer {
  const rate = 22_050;
  const samples = Int16Array.from({ length: rate * seconds }, (_, at) =>
    Math.round(8_000 * Math.sin((2 * Math.PI * 440 * at) / rate)),
  );
  const header = wavHeader(samples.byteLength, { sampleRate: rate });
  return Buffer.concat([header, Buffer.from(samples.buffer)]);
}

async function findFreePort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? String(address.port) : '';
}

describe('npm run demo', { timeout: 120_000 }, () => {
  describe('works', () => {
    test('creates a video from the bundled sound, prints its path and leaves no other file', async () => {
      const { code, stdout, stderr } = await runDemo([]).end;
      expect(stderr).toBe('');
      expect(code).toBe(0);

      const [name, ...others] = await readdir(cwd);
      expect(name).toMatch(/^lipsync-[0-9a-f]{8}\.mp4$/);
      expect(others).toEqual([]);
      expect(stdout).toContain(join(cwd, name ?? ''));
      expect(stdout).toMatch(/^ +\d+ % {2}GENERATING$/m);
      expect(stdout).toMatch(/^ +100 % {2}COMPLETED$/m);

      const { kinds, audioSeconds } = await demux(join(cwd, name ?? ''));
      expect(kinds).toEqual(['audio', 'video']);
      expect(Math.abs(audioSeconds - (await secondsOf(speech)))).toBeLessThan(0.3);
      expect(await findLeftovers()).toEqual([]);
    });

    test('uses the sound and video of the user and writes to --out', async () => {
      await writeFile(join(cwd, 'tone.wav'), makeWav(3));
      const video = join(root, 'src/sandbox/media/source-1.mp4');
      const words = ['--audio', 'tone.wav', '--video', video, '--out', 'mine.mp4'];
      const { code, stdout, stderr } = await runDemo(words).end;
      expect(stderr).toBe('');
      expect(code).toBe(0);
      expect(stdout).toContain('tone.wav, 132 kB, 3.0 s');
      expect(stdout).toContain('source-1.mp4');

      const { kinds, audioSeconds } = await demux(join(cwd, 'mine.mp4'));
      expect(kinds).toEqual(['audio', 'video']);
      expect(Math.abs(audioSeconds - 3)).toBeLessThan(0.3);
      expect((await readdir(cwd)).toSorted()).toEqual(['mine.mp4', 'tone.wav']);
    });

    test('uses PORT and DATA_DIR, and prints why a lip-sync failed', async () => {
      const [port, sandboxPort] = [await findFreePort(), await findFreePort()];
      const variables = { PORT: port, SANDBOX_PORT: sandboxPort, DATA_DIR: join(home, 'data') };
      const demo = runDemo([], variables);
      await demo.said('✓ Server');
      const switched = await fetch(`http://127.0.0.1:${sandboxPort}/_sandbox/switches`, {
        method: 'PUT',
        body: JSON.stringify({ outcome: 'FAILED', generatingMs: 100 }),
      });
      expect(switched.ok).toBe(true);

      const { code, stdout, stderr } = await demo.end;
      expect(code).toBe(1);
      expect(stdout).toContain(`http://127.0.0.1:${port}/graphql`);
      expect(stdout).toMatch(/% {2}FAILED$/m);
      expect(stderr).toBe(
        '✗ The video service could not generate this video. [GENERATION_FAILED]\n',
      );
      expect(await readdir(join(home, 'data'))).toContain('database');
      expect(await readdir(cwd)).toEqual([]);
    });

    test('stops its server and removes its temporary files on Ctrl-C', async () => {
      const demo = runDemo([]);
      const stdout = await demo.said('✓ Lip-sync');
      demo.child.kill('SIGINT');
      const { code, stderr } = await demo.end;
      expect(code).toBe(130);
      expect(stderr).toBe('✗ Stopped.\n');
      const [url = ''] = /http:\/\/[\d.:]+/.exec(stdout) ?? [];
      await expect(fetch(url)).rejects.toThrow('fetch failed');
      expect(await findLeftovers()).toEqual([]);
      expect(await readdir(cwd)).toEqual([]);
    });
  });

  describe('refuses', () => {
    test('a file that is not audio, with a message and without a stack trace', async () => {
      await writeFile(join(cwd, 'bad.mp3'), 'This is no sound at all.');
      const { code, stderr } = await runDemo(['--audio', 'bad.mp3']).end;
      expect(code).toBe(1);
      expect(stderr).toBe(
        '✗ bad.mp3: By its content the file is no WAV or MP3 audio. [INVALID_INPUT]\n',
      );
    });

    test('wrong file arguments, before it starts a server', async () => {
      for (const [words, complaint] of [
        [['--audio', 'none.mp3'], '✗ none.mp3 can not be read: no such file or directory\n'],
        [['--video', '.'], '✗ . is not a file.\n'],
        [['--out', 'none/x.mp4'], '✗ The result can not be written there: no such file'],
        [['--out', '.'], '✗ . is a folder: the result needs a file name.\n'],
      ] as const) {
        const { code, stdout, stderr } = await runDemo([...words]).end;
        expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
        expect(stderr).toContain(complaint);
        expect(stderr.trimEnd().split('\n')).toHaveLength(1);
      }
    });

    test('unknown arguments, with one line and exit code 2', async () => {
      for (const words of [['--colour'], ['--audio'], ['--audio='], ['my.mp3']]) {
        const { code, stdout, stderr } = await runDemo(words).end;
        expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
        expect(stderr).toMatch(/^✗ .+\. See --help\.\n$/);
      }
    });

    test("to continue when the server cannot start, and prints the server's own message", async () => {
      const { code, stderr } = await runDemo([], { QUEUE_LIMIT: 'many' }).end;
      expect(code).toBe(1);
      expect(stderr).toContain('The server ended by itself');
      expect(stderr).toContain('QUEUE_LIMIT');
      expect(stderr).not.toContain('    at ');
    });
  });
});

describe('the bar between two events', () => {
  const start = Date.parse('2026-01-01T00:00:00Z');
  const after = (seconds: number) => new Date(start + seconds * 1000);

  test('advances evenly to 85 at the expected end and stops there', () => {
    const pace = createPace();
    expect(pace.percentAt(after(0))).toBe(0);
    pace.tell({ status: 'GENERATING', percent: 5, estimatedCompletionAt: after(80) }, after(0));
    expect(pace.percentAt(after(40))).toBe(45);
    expect(pace.percentAt(after(80))).toBe(85);
    expect(pace.percentAt(after(800))).toBe(85);
  });

  test('never falls, even when the next event has a lower percent', () => {
    const pace = createPace();
    pace.tell({ status: 'GENERATING', percent: 0, estimatedCompletionAt: after(10) }, after(0));
    expect(pace.percentAt(after(10))).toBe(85);
    pace.tell({ status: 'GENERATING', percent: 60, estimatedCompletionAt: after(90) }, after(10));
    expect(pace.percentAt(after(11))).toBe(85);
  });

  test('does not move without an expected end, and reaches 100 only when COMPLETED', () => {
    const pace = createPace();
    pace.tell({ status: 'QUEUED', percent: 0, estimatedCompletionAt: null }, after(0));
    expect(pace.percentAt(after(99))).toBe(0);
    pace.tell({ status: 'GENERATING', percent: 100, estimatedCompletionAt: null }, after(99));
    expect(pace.percentAt(after(99))).toBe(99);
    pace.tell({ status: 'COMPLETED', percent: 100, estimatedCompletionAt: null }, after(100));
    expect(pace.percentAt(after(100))).toBe(100);
  });

  test('keeps its last value when the job fails', () => {
    const pace = createPace();
    pace.tell({ status: 'GENERATING', percent: 40, estimatedCompletionAt: null }, after(0));
    pace.percentAt(after(1));
    pace.tell({ status: 'FAILED', percent: 40, estimatedCompletionAt: null }, after(2));
    expect(pace.percentAt(after(3))).toBe(40);
  });
});
