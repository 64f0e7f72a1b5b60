import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts';
import {
  ask,
  control,
  finalItem,
  jobs,
  lipsync,
  listVideos,
  makeWav,
  openReceiver,
  openSandbox,
  QUICK,
  STUDIO,
  sourceId,
  temporaryFolder,
  upload,
} from './client.ts';

const main = fileURLToPath(new URL('../../src/sandbox/main.ts', import.meta.url));

/** `npm run sandbox` as a process of its own. */
async function spawnSandbox(dataDir: string) {
  // Without the test runner's PATH and NODE_OPTIONS.
  const env = { DATA_DIR: dataDir, SANDBOX_PORT: '0' };
  const child = spawn(process.execPath, [main], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const [, baseUrl = '', token = ''] = /(http\S+) with token (\S+)/.exec(String(line)) ?? [];
  const origin = new URL(baseUrl).origin;
  const sandbox: Sandbox = { baseUrl, origin, token, port: 0, close: async () => undefined };
  return { child, sandbox };
}

async function exitOf(child: ChildProcess, signal: NodeJS.Signals) {
  const exit = once(child, 'exit');
  child.kill(signal);
  return exit;
}

describe('a restart', () => {
  it('after kill -9 continues every accepted job to its end and its callback', async () => {
    const dataDir = await temporaryFolder();
    const receiver = await openReceiver();
    const first = await spawnSandbox(dataDir);
    const audio_path = await upload(first.sandbox, makeWav(1), 'audio/wav');
    const accepted: unknown[] = [];
    for (const fields of [{ audio_path }, { prompt: 'Still there?' }, { prompt: '[[failed]]' }]) {
      const { json } = await lipsync(first.sandbox, { ...fields, replyUrl: receiver.url });
      accepted.push(json.video_id);
    }
    await exitOf(first.child, 'SIGKILL');
    receiver.bodies.length = 0;

    const second = await openSandbox({ dataDir });
    const ends = await Promise.all(accepted.map((id) => finalItem(second, id)));
    expect(ends.map((item) => item.video_status)).toEqual([1, 1, 8]);
    await vi.waitFor(() => {
      const final = receiver.bodies.filter((body) => body.video_status_final);
      expect(final.map((body) => body.video_id).sort()).toEqual(accepted.toSorted());
    }, 60_000);
    expect((await fetch(String(ends[0]?.url))).status).toBe(200);
  });

  it('follows a SIGTERM that ends the process at once with code 0', async () => {
    const { child, sandbox } = await spawnSandbox(await temporaryFolder());
    await lipsync(sandbox);
    expect(await exitOf(child, 'SIGTERM')).toEqual([0, null]);
  });

  it('keeps accounts, credits, deletions, uploads and results', async () => {
    const dataDir = await temporaryFolder();
    const first = await startSandbox({ dataDir, ...QUICK });
    const path = await upload(first, makeWav(1), 'audio/wav');
    const { video_id } = (await lipsync(first, { audio_path: path })).json;
    await finalItem(first, video_id);
    await ask(first, `DELETE /videos/${await sourceId(first)}`);
    await ask(first, 'POST /accounts/third@sandbox.example', {
      body: { password: 'x', maxJobs: 2 },
    });
    const pathsOf = async (sandbox: Sandbox) => {
      const videos = await listVideos(sandbox);
      return videos.map((video) => [video.video_id, new URL(String(video.url)).pathname]);
    };
    const [before, accounts] = [await pathsOf(first), (await control(first, 'GET /jobs')).json];
    await vi.waitFor(async () => expect((await jobs(first))[0]?.isAnnounced).toBe(true), {
      timeout: 60_000,
    });
    await first.close();

    const second = await openSandbox({
      dataDir,
      accounts: [{ email: 'other@x.example', maxJobs: 1 }],
    });
    expect(await pathsOf(second)).toEqual(before);
    expect((await control(second, 'GET /jobs')).json).toMatchObject({
      accounts: {
        [STUDIO]: {
          credits: (accounts.accounts as Record<string, { credits: number }>)[STUDIO]?.credits,
        },
      },
    });
    expect((await ask(second, 'GET /accounts/third@sandbox.example')).status).toBe(200);
    const [made] = await listVideos(second);
    expect((await fetch(String(made?.url))).status).toBe(200);
    const again = await lipsync(second, { audio_path: path, video_id });
    expect(again.status).toBe(200);
    expect(Number(String(again.json.video_id).split(':').at(-1))).toBeGreaterThan(
      Number(String(video_id).split(':').at(-1)),
    );
  });

  it('deletes incomplete files of a crash', async () => {
    const dataDir = await temporaryFolder();
    await (await startSandbox({ dataDir })).close();
    await writeFile(join(dataDir, 'jobs', '371.json.tmp'), '{"id": "us');
    await writeFile(join(dataDir, 'uploads', 'a.mp4.part'), 'half');
    const sandbox = await openSandbox({ dataDir });
    expect(await jobs(sandbox)).toEqual([]);
    expect(await readdir(join(dataDir, 'jobs'))).toEqual([]);
    expect(await readdir(join(dataDir, 'uploads'))).toEqual([]);
  });

  it('fails on a port that is taken', async () => {
    const sandbox = await openSandbox();
    const dataDir = await temporaryFolder();
    await expect(startSandbox({ dataDir, port: sandbox.port })).rejects.toThrow('EADDRINUSE');
  });
});
