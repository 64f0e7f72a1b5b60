import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { type TestStorage, testStorage } from '../support/database.ts';
import { Program, startProgram } from '../support/program.ts';

const root = join(import.meta.dirname, '../..');

let storage: TestStorage;
const programs: Program[] = [];
beforeEach(async () => {
  storage = await testStorage();
});
afterEach(async () => {
  for (const program of programs.splice(0)) await program.kill('SIGKILL');
  await storage.remove();
});

/** `npm start`. The process is npm itself, which starts a shell, which starts the program. */
function startThroughNpm(env: Record<string, string>): Program {
  const { PATH = '', HOME = '' } = process.env;
  const npm = spawn('npm', ['start'], {
    cwd: root,
    env: { PATH, HOME, npm_config_update_notifier: 'false', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const program = new Program(npm);
  programs.push(program);
  return program;
}

describe('works', () => {
  // Without `exec` in the script SIGTERM ends npm and its shell. The program continues and holds DATA_DIR.
  test('serves; SIGTERM to npm drains it, ends it with 0 and frees DATA_DIR', async () => {
    const env = { PORT: '0', DATA_DIR: storage.dataDir };
    const started = startThroughNpm(env);
    const url = await started.url();
    const { data } = await (await started.client()).ask<{ voices: { nodes: object[] } }>(
      '{ voices { ... on VoiceList { nodes { name } } } }',
    );
    expect(data?.voices.nodes).toHaveLength(14);
    const page = await fetch(url, { headers: { accept: 'text/html' } });
    expect(await page.text()).toContain('GraphiQL');
    expect(await started.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    const messages = started.lines.map(({ msg }) => msg);
    expect(messages).toContain('stopping');
    expect(messages.at(-1)).toBe('stopped');
    await expect(fetch(`${url}/livez`)).rejects.toThrow();

    const next = startProgram(env);
    programs.push(next);
    await next.url();
    expect(await next.kill('SIGTERM')).toMatchObject({ code: 0 });
  });

  test.each(['dev', 'start', 'demo', 'sandbox'] as const)(
    'npm run %s replaces its shell',
    (name) => {
      expect(manifest.scripts[name]).toMatch(/^exec node /);
    },
  );
});
