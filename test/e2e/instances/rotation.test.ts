import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv, promisify } from 'node:util';
import { Client } from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { commandsIn, pageOf } from '../../docs/pages.ts';
import { startTestApp } from '../../support/app.ts';
import { silentLog } from '../../support/database.ts';
import { createLipsync, readLipsync } from '../../support/lipsyncs.ts';
import { type PostgresServer, startPostgres } from '../../support/postgres.ts';

/*
 * Runs what docs/rotation.md says about the password of the database, as it is written. A server of its own: roles belong to
 * all databases of a server.
 */
let server: PostgresServer;
let folder: string;
let url: URL;
beforeEach(async () => {
  server = await startPostgres();
  folder = await mkdtemp(join(tmpdir(), 'lipsync-rotation-'));
  url = new URL(await server.createDatabase());
  await administer(`create role lipsync login password 'the-old-password'`);
  await administer(`alter database ${url.pathname.slice(1)} owner to lipsync`);
  url.username = 'lipsync';
  url.password = 'the-old-password';
  await writeFile(join(folder, '.env'), `DATABASE_URL=${url.href}\n`);
});
afterEach(async () => {
  await server.remove();
  await rm(folder, { recursive: true, force: true });
});

async function administer(sql: string): Promise<void> {
  const client = new Client({ connectionString: server.adminUrl });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}

const filled = (text: string) => text.replaceAll('<new database password>', 'the-new-password');

const blocks = pageOf('docs/rotation.md').blocks;
const [createRole = '', removePassword = ''] = blocks
  .filter(({ language }) => language === 'sql')
  .map(({ text }) => filled(text));
const [useRole = ''] = blocks
  .filter(({ language }) => language === 'sh')
  .flatMap(commandsIn)
  .filter((command) => command.includes('DATABASE_URL'))
  .map(filled);

async function start() {
  const env = parseEnv(await readFile(join(folder, '.env'), 'utf8'));
  const storage = {
    ...{ url: env.DATABASE_URL ?? '', dataDir: folder, log: silentLog },
    remove: async () => undefined,
  };
  return startTestApp({ storage });
}

test('the password of the database is rotated while an instance with the old one goes on', async () => {
  await using old = await start();
  const { id } = await createLipsync(old);
  await administer(createRole);
  await promisify(execFile)('sh', ['-c', useRole], { cwd: folder });
  await using current = await start();
  expect(await readLipsync(current, id)).toMatchObject({ id });
  expect(await readLipsync(current, (await createLipsync(old)).id)).not.toBeNull();
  expect(await readLipsync(old, (await createLipsync(current)).id)).not.toBeNull();
  await old.stop();

  await administer(removePassword);
  const client = new Client({ connectionString: url.href });
  await expect(client.connect()).rejects.toMatchObject({ code: '28P01' });
  await using again = await start();
  expect(await readLipsync(again, id)).toMatchObject({ id });
  const owners = await again.app.db.query(
    "select distinct tableowner as owner from pg_tables where schemaname = 'public'",
  );
  expect(owners).toEqual([{ owner: 'lipsync' }]);
});
