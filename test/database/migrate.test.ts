import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectDatabase, type Database } from '../../src/database/connect.ts';
import { inspectMigrations, MigrationError, migrate } from '../../src/database/migrate.ts';
import { postgresUrl, type TestStorage, testStorage } from '../support/database.ts';

let storage: TestStorage;
let db: Database;
let directory: string;

beforeAll(async () => {
  storage = await testStorage({ migrated: false });
  db = await connectDatabase(storage);
});
afterAll(async () => {
  await db.close();
  await storage.remove();
});
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lipsync-migrations-'));
  await db.query('drop schema public cascade');
  await db.query('create schema public');
});
afterEach(() => rm(directory, { recursive: true }));

const write = (name: string, text: string) => writeFile(join(directory, name), text);
const applied = async () =>
  (await db.query<{ name: string }>('select name from schema_migrations order by name')).map(
    ({ name }) => name,
  );

describe('works', () => {
  it('applies files with several statements in order, each once', async () => {
    await write(
      '0002-fill.sql',
      "insert into things values (1, 'a;b'); insert into things values (2, '$$');",
    );
    await write(
      '0001-start.sql',
      `-- a comment; with a semicolon
       create table things (id int, name text);
       create function twice(n int) returns int language plpgsql as $$ begin return 2 * n; end $$;`,
    );
    await migrate(db, directory);
    await migrate(db, directory);
    expect(await applied()).toEqual(['0001-start.sql', '0002-fill.sql']);
    expect(await db.query('select twice(id) as n, name from things order by id')).toEqual([
      { n: 2, name: 'a;b' },
      { n: 4, name: '$$' },
    ]);
    const [row] = await db.query('select checksum, applied_at from schema_migrations');
    expect(row).toEqual({
      checksum: expect.stringMatching(/^[0-9a-f]{64}$/),
      applied_at: expect.any(Date),
    });
  });

  it('applies only new files to a database with data', async () => {
    await write('0001-start.sql', 'create table things (id int)');
    await migrate(db, directory);
    await db.query('insert into things values (1)');
    await write('0002-more.sql', 'alter table things add column size int not null default 3');
    await migrate(db, directory);
    expect(await db.query('select * from things')).toEqual([{ id: 1, size: 3 }]);
  });

  it('applies a file again after deadlocks with other transactions', async () => {
    await write(
      '0001-start.sql',
      `create table things (id int);
       do $$ begin
         if nextval('attempts') <= 6 then raise exception 'deadlock detected' using errcode = '40P01'; end if;
       end $$;`,
    );
    // A rollback does not undo the change of a sequence.
    await db.query('create sequence attempts');
    await migrate(db, directory);
    expect(await applied()).toEqual(['0001-start.sql']);
    expect(await db.query("select nextval('attempts')::int as next")).toEqual([{ next: 8 }]);
  });

  it('ignores a difference in line endings', async () => {
    await write('0001-start.sql', 'create table things (\r\n  id int\r\n)');
    await migrate(db, directory);
    await write('0001-start.sql', 'create table things (\n  id int\n)');
    await migrate(db, directory);
  });

  it('applies each file once if several processes start together', async () => {
    // PGlite has one connection: there the same process migrates several times.
    const others = postgresUrl
      ? await Promise.all([1, 2, 3].map(() => connectDatabase(storage)))
      : [db, db, db];
    await write('0001-start.sql', 'create table things (id int); select pg_sleep(0.3)');
    await write('0002-fill.sql', 'insert into things values (1)');
    await Promise.all([db, ...others].map((each) => migrate(each, directory)));
    expect(await applied()).toEqual(['0001-start.sql', '0002-fill.sql']);
    expect(await db.query('select * from things')).toEqual([{ id: 1 }]);
    if (postgresUrl) await Promise.all(others.map((other) => other.close()));
  });

  it('leaves a newer database as it is, if the newer program allows this one', async () => {
    await write('0001-start.sql', 'create table things (id int)');
    await write('0002-later.sql', 'create table later (id int)');
    await migrate(db, directory, { oldest: '0001-start.sql' });
    await rm(join(directory, '0002-later.sql'));
    expect(await migrate(db, directory)).toBe('newer');
    expect(await applied()).toEqual(['0001-start.sql', '0002-later.sql']);
    expect(await inspectMigrations(db, directory)).toMatchObject({ isNewer: true, problem: null });
  });

  it("creates the project's schema in an empty database", async () => {
    await migrate(db);
    expect((await applied()).length).toBeGreaterThan(0);
  });
});

describe('refuses', () => {
  it('a file that fails: it is rolled back, and the files before it stay applied', async () => {
    await write('0001-start.sql', 'create table things (id int)');
    await write('0002-bad.sql', 'create table more (id int); create table more (id int)');
    const attempt = migrate(db, directory);
    await expect(attempt).rejects.toThrow('0002-bad.sql failed');
    await expect(attempt).rejects.toMatchObject({ cause: { code: '42P07' } });
    expect(await applied()).toEqual(['0001-start.sql']);
    await write('0002-bad.sql', 'create table more (id int)');
    await migrate(db, directory);
  });

  it('a file that was changed after it was applied', async () => {
    await write('0001-start.sql', 'create table things (id int)');
    await migrate(db, directory);
    await write('0001-start.sql', 'create table things (id bigint)');
    await expect(migrate(db, directory)).rejects.toThrow('0001-start.sql was changed');
  });

  it('a database of which the program allows only newer ones than this, or does not say', async () => {
    await write('0001-start.sql', 'create table things (id int)');
    await write('0002-later.sql', 'create table later (id int)');
    await write('0003-last.sql', 'create table last (id int)');
    await migrate(db, directory, { oldest: '0002-later.sql' });
    await rm(join(directory, '0003-last.sql'));
    expect(await migrate(db, directory)).toBe('newer');
    await rm(join(directory, '0002-later.sql'));
    const attempt = migrate(db, directory);
    await expect(attempt).rejects.toThrow(MigrationError);
    await expect(attempt).rejects.toThrow('newer than this program');
    await db.query('alter table schema_migrations drop column oldest');
    await expect(migrate(db, directory)).rejects.toThrow('newer than this program');
  });

  it('a newer database that lacks a migration of this program', async () => {
    await write('0001-start.sql', 'create table things (id int)');
    await write('0003-last.sql', 'create table last (id int)');
    await migrate(db, directory, { oldest: '0001-start.sql' });
    await rm(join(directory, '0003-last.sql'));
    await write('0002-own.sql', 'create table own (id int)');
    await expect(migrate(db, directory)).rejects.toThrow('0002-own.sql is not applied');
  });

  it('a new file with a number before the last applied one', async () => {
    await write('0002-start.sql', 'create table things (id int)');
    await migrate(db, directory);
    await write('0001-late.sql', 'create table late (id int)');
    await expect(migrate(db, directory)).rejects.toThrow('Give it a higher number');
  });

  it('a name without a number', async () => {
    await write('things.sql', 'select 1');
    await expect(migrate(db, directory)).rejects.toThrow('things.sql');
  });
});
