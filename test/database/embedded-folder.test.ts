import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { connectDatabase } from '../../src/database/connect.ts';
import { silentLog } from '../support/database.ts';

const root = join(import.meta.dirname, '../..');

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'lipsync-folder-'));
});
afterEach(async () => {
  await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
});

/** The cluster settings that `initdb` chooses, without random values and times. */
const identity = `select
  (select md5(string_agg(p::text, ',' order by oid)) from pg_proc p) as functions,
  (select md5(string_agg(t::text, ',' order by oid)) from pg_type t) as types,
  (select md5(string_agg(concat(c.collname, c.collencoding, c.collprovider), ',' order by oid)) from pg_collation c) as collations,
  (select md5(string_agg(o::text, ',' order by oid)) from pg_operator o) as operators,
  (select string_agg(concat(datname, encoding, datcollate, datlocprovider), ',' order by datname) from pg_database) as databases,
  (select catalog_version_no from pg_control_system()) as catalog,
  (select string_agg(name || '=' || setting, ',' order by name) from pg_file_settings
    where name not in ('timezone', 'log_timezone')) as settings`;

describe('the folder of an embedded database', () => {
  it('starts from the same cluster as initdb of the installed PGlite creates', {
    timeout: 120_000,
  }, async () => {
    const prepared = await connectDatabase({ dataDir, log: silentLog });
    const [ours] = await prepared.query(identity);
    await prepared.close();
    const created = await PGlite.create(join(dataDir, 'created'));
    const { rows } = await created.query(identity);
    await created.close();
    expect(rows).toEqual([ours]);
  });

  it('is recreated if a crash left it half initialized', async () => {
    const folder = join(dataDir, 'database');
    await mkdir(join(folder, 'base'), { recursive: true });
    await writeFile(join(folder, 'PG_VERSION'), '18\n');
    await writeFile(`${folder}.unfinished`, '');
    const db = await connectDatabase({ dataDir, log: silentLog });
    expect(await db.query('select 1 as one')).toEqual([{ one: 1 }]);
    await db.close();
    expect(await readdir(dataDir)).toEqual(['database']);
  });

  it('is initialized by the next start after kill -9 during the first one', async () => {
    const connect = `
      const { connectDatabase } = await import('./src/database/connect.ts');
      const { createLog } = await import('./src/log.ts');
      await connectDatabase({ dataDir: ${JSON.stringify(dataDir)}, log: createLog('silent') });`;
    const first = spawn(
      process.execPath,
      ['--liftoff-only', '--input-type=module', '-e', connect],
      { cwd: root },
    );
    const exited = once(first, 'exit');
    await vi.waitFor(() => expect(existsSync(join(dataDir, 'database/PG_VERSION'))).toBe(true), {
      timeout: 60_000,
      interval: 1,
    });
    first.kill('SIGKILL');
    await exited;
    const db = await connectDatabase({ dataDir, log: silentLog });
    expect(await db.query('select 1 as one')).toEqual([{ one: 1 }]);
    await db.close();
  });
});
