import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSmoothProgress } from '../../src/demo/smooth-progress.ts';
import { findFreePort } from '../support/free-port.ts';
import { demux } from '../support/media.ts';
import { wavHeader } from '../support/wav.ts';

const root = join(import.meta.dirname, '../..');

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
  /** Resolves with the whole of stdout so far when it contains the text. */
  waitForOutput(text: string): Promise<string>;
  end: Promise<{ code: number | null; stdout: string; stderr: string }>;
};

function runDemo(args: string[], variables: Record<string, string> = {}): Run {
  const child = spawn(process.execPath, ['--liftoff-only', join(root, 'src/demo.ts'), ...args], {
    cwd,
    // Without the variables of the shell that runs the tests.
    // Compiled code is shared between runs.
    env: { PATH: process.env.PATH, TMPDIR: temporary, NODE_COMPILE_CACHE, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    output.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output.stderr += chunk;
  });
  const end = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    child.once('close', (code) => {
      running.delete(child);
      resolve({ code, ...output });
    });
  });
  const waitForOutput = (text: string) =>
    new Promise<string>((resolve, reject) => {
      const check = () => output.stdout.includes(text) && resolve(output.stdout);
      check();
      child.stdout.on('data', check);
      child.once('close', () =>
        reject(new Error(`The demo ended without printing “${text}”: ${output.stderr}`)),
      );
    });
  return { child, waitForOutput, end };
}

/** Only the demo's own files: Node keeps compiled code in the same folder. */
async function findLeftovers(): Promise<string[]> {
  return (await readdir(temporary)).filter((name) => name.startsWith('lipsync-'));
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

describe('npm run demo', { timeout: 120_000 }, () => {
  describe('works', () => {
    test("uses the user's own audio and video, and writes to --out", async () => {
      await writeFile(join(cwd, 'tone.wav'), makeWav(3));
      const video = join(root, 'src/sandbox/media/source-1.mp4');
      const args = ['--audio', 'tone.wav', '--video', video, '--out', 'mine.mp4'];
      const { code, stdout, stderr } = await runDemo(args).end;
      expect(stderr).toBe('');
      expect(code).toBe(0);
      expect(stdout).toContain('tone.wav, 132 kB, 3.0 s');
      expect(stdout).toContain('source-1.mp4');

      const { kinds, audioSeconds } = await demux(join(cwd, 'mine.mp4'));
      expect(kinds).toEqual(['audio', 'video']);
      expect(Math.abs(audioSeconds - 3)).toBeLessThan(0.3);
      expect((await readdir(cwd)).toSorted()).toEqual(['mine.mp4', 'tone.wav']);
    });

    test('uses PORT and DATA_DIR, and prints the reason of a failed lip-sync', async () => {
      const [port, sandboxPort] = [`${await findFreePort()}`, `${await findFreePort()}`];
      const variables = { PORT: port, SANDBOX_PORT: sandboxPort, DATA_DIR: join(home, 'data') };
      const demo = runDemo([], variables);
      await demo.waitForOutput('✓ Server');
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

    // As `.env` files have it for a variable that is not set.
    test.each(['', '0'])('chooses a free port with PORT=“%s”', async (PORT) => {
      const demo = runDemo([], { PORT });
      const stdout = await demo.waitForOutput('✓ Server');
      expect(stdout).toMatch(/http:\/\/127\.0\.0\.1:[1-9]\d*\/graphql/);
      demo.child.kill('SIGINT');
      expect((await demo.end).code).toBe(130);
    });

    test('stops its server and deletes its temporary files on Ctrl-C', async () => {
      const demo = runDemo([]);
      const stdout = await demo.waitForOutput('✓ Lip-sync');
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
    test('a file without audio, with one line and no stack', async () => {
      await writeFile(join(cwd, 'bad.mp3'), 'This is not audio.');
      const { code, stderr } = await runDemo(['--audio', 'bad.mp3']).end;
      expect(code).toBe(1);
      expect(stderr).toBe(
        '✗ bad.mp3: The content of the file is not audio of an accepted type: WAV, MP3, M4A, AAC, OGG, WebM, FLAC, AIFF or CAF. [INVALID_INPUT]\n',
      );
    });

    test('unreadable files and unwritable targets, before it starts a server', async () => {
      for (const [args, complaint] of [
        [['--audio', 'none.mp3'], '✗ none.mp3 cannot be read: no such file or directory\n'],
        [['--video', '.'], '✗ . is not a file.\n'],
        [['--out', 'none/x.mp4'], '✗ The result cannot be written there: no such file'],
        [['--out', '.'], '✗ . is a folder: the result needs a file name.\n'],
      ] as const) {
        const { code, stdout, stderr } = await runDemo([...args]).end;
        expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
        expect(stderr).toContain(complaint);
        expect(stderr.trimEnd().split('\n')).toHaveLength(1);
      }
    });

    test('unknown or incomplete arguments, with one line and exit code 2', async () => {
      for (const args of [['--colour'], ['--audio'], ['--audio='], ['my.mp3']]) {
        const { code, stdout, stderr } = await runDemo(args).end;
        expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
        expect(stderr).toMatch(/^✗ .+\. See --help\.\n$/);
      }
    });

    test("a setting that the server refuses, with the server's own message", async () => {
      const { code, stderr } = await runDemo([], { QUEUE_LIMIT: 'many' }).end;
      expect(code).toBe(1);
      expect(stderr).toContain('The server ended by itself');
      expect(stderr).toContain('QUEUE_LIMIT');
      expect(stderr).not.toContain('    at ');
    });
  });
});

describe('the progress bar between two events', () => {
  const start = Date.parse('2026-01-01T00:00:00Z');
  const after = (seconds: number) => new Date(start + seconds * 1000);

  test('moves evenly to 85 % at the expected end, and waits there', () => {
    const progress = createSmoothProgress();
    expect(progress.percentAt(after(0))).toBe(0);
    progress.update({ status: 'GENERATING', percent: 5, expectedAt: after(80) }, after(0));
    expect(progress.percentAt(after(40))).toBe(45);
    expect(progress.percentAt(after(80))).toBe(85);
    expect(progress.percentAt(after(800))).toBe(85);
  });

  test('never moves back, also when the next event has a lower percentage', () => {
    const progress = createSmoothProgress();
    progress.update({ status: 'GENERATING', percent: 0, expectedAt: after(10) }, after(0));
    expect(progress.percentAt(after(10))).toBe(85);
    progress.update({ status: 'GENERATING', percent: 60, expectedAt: after(90) }, after(10));
    expect(progress.percentAt(after(11))).toBe(85);
  });

  test('does not move without an expected end, and reaches 100 % only with COMPLETED', () => {
    const progress = createSmoothProgress();
    progress.update({ status: 'QUEUED', percent: 0, expectedAt: null }, after(0));
    expect(progress.percentAt(after(99))).toBe(0);
    progress.update({ status: 'GENERATING', percent: 100, expectedAt: null }, after(99));
    expect(progress.percentAt(after(99))).toBe(99);
    progress.update({ status: 'COMPLETED', percent: 100, expectedAt: null }, after(100));
    expect(progress.percentAt(after(100))).toBe(100);
  });

  test('does not move when the lip-sync failed', () => {
    const progress = createSmoothProgress();
    progress.update({ status: 'GENERATING', percent: 40, expectedAt: null }, after(0));
    progress.percentAt(after(1));
    progress.update({ status: 'FAILED', percent: 40, expectedAt: null }, after(2));
    expect(progress.percentAt(after(3))).toBe(40);
  });
});
