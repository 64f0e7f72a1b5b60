import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type TestStorage, testStorage } from '../../support/database.ts';
import { idOf } from '../../support/lipsync-app.ts';
import { type Program, startProgram } from '../../support/program.ts';
import { openFleet } from './fleet.ts';

const migrations = join(import.meta.dirname, '../../../src/database/migrations');

describe('works', () => {
  it('migrates an empty database once when several instances start on it at the same time', async () => {
    const fleet = await openFleet();
    try {
      const [here, there] = await Promise.all([fleet.start(), fleet.start(), fleet.spawn()]);
      const applied = await here.app.db.query<{ name: string }>(
        'select name from schema_migrations order by name collate "C"',
      );
      expect(applied.map(({ name }) => name)).toEqual((await readdir(migrations)).sort());
      // One generated secret: every instance accepts what another one signed.
      expect(
        await here.app.db.query("select 1 from settings where name like 'callback%'"),
      ).toHaveLength(1);
      expect(here.logs.filter(({ level }) => level === 'error')).toEqual([]);
      const made = await here.create({
        video: { videoId: await there.source() },
        speech: { script: { text: 'Hello' } },
      });
      expect(await there.waitForEnd(idOf(made))).toMatchObject({ status: 'COMPLETED' });
    } finally {
      await fleet.stop();
    }
  });
});

describe('the sandbox', () => {
  let storage: TestStorage;
  const programs: Program[] = [];
  beforeEach(async () => {
    storage = await testStorage();
  });
  afterEach(async () => {
    for (const program of programs.splice(0)) await program.kill('SIGKILL');
    await storage.remove();
  });

  function startInSandbox(): Program {
    const { url = '', dataDir } = storage;
    const program = startProgram({ PORT: '0', DATABASE_URL: url, DATA_DIR: dataDir });
    programs.push(program);
    return program;
  }

  // Each of the two wrote its port and its jobs over those of the other.
  it('of one DATA_DIR runs in one process at a time, although the database is PostgreSQL', async () => {
    expect(storage.url).toBeDefined();
    const first = startInSandbox();
    const url = await first.url();
    const portFile = join(storage.dataDir, 'sandbox-port');
    const port = await readFile(portFile, 'utf8');

    const second = startInSandbox();
    expect((await second.exited).code).toBe(1);
    expect(second.output).toContain('is in use by another process');
    expect(second.output).toContain(storage.dataDir);
    expect(second.output).not.toMatch(/^\s+at /m);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    expect(await readFile(portFile, 'utf8')).toBe(port);

    expect(await first.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    expect((await readdir(storage.dataDir)).filter((name) => name.startsWith('lock-'))).toEqual([]);
    await startInSandbox().url();
    expect(await readFile(portFile, 'utf8')).toBe(port);
  });

  it('is not needed with a video service: its instances share one DATA_DIR', async () => {
    const fleet = await openFleet();
    try {
      const [one, other] = await Promise.all([fleet.spawn(), fleet.spawn()]);
      for (const { url } of [one, other]) expect((await fetch(`${url}/readyz`)).status).toBe(200);
    } finally {
      await fleet.stop();
    }
  });
});
