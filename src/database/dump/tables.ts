import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Sql } from '../sql.ts';

export type Table = {
  name: string;
  /** Without generated columns. */
  columns: string[];
};

export type Sequence = { name: string; value: string; isCalled: boolean };

const migrationsFolder = join(import.meta.dirname, '../migrations');

/** Maintained by `migrate`. The tables of background jobs are in another schema, and are recreated at startup. */
const notDumped = 'schema_migrations';

/** The tables that our migrations created, each after the tables that it refers to. Other tables of the database are not ours. */
export async function readTables(sql: Sql): Promise<Table[]> {
  const created = await namesInMigrations(/\bcreate table (?:if not exists )?(\w+)/gi);
  const columns = await sql.query<{ name: string; column: string }>(
    `select table_name as name, column_name as "column" from information_schema.columns
     where table_schema = current_schema() and table_name = any($1::text[])
       and table_name <> $2 and is_generated = 'NEVER'
     order by table_name, ordinal_position`,
    [created, notDumped],
  );
  const references = await sql.query<{ name: string; to: string }>(
    `select conrelid::regclass::text as name, confrelid::regclass::text as "to"
     from pg_constraint where contype = 'f' and connamespace = current_schema()::regnamespace`,
  );
  const byName = Map.groupBy(columns, ({ name }) => name);
  const ordered: string[] = [];
  const visit = (name: string): void => {
    if (ordered.includes(name)) return;
    for (const { to } of references.filter((each) => each.name === name && each.to !== name)) {
      visit(to);
    }
    ordered.push(name);
  };
  for (const name of byName.keys()) visit(name);
  return ordered.map((name) => ({
    name,
    columns: (byName.get(name) ?? []).map(({ column }) => column),
  }));
}

export async function readSequences(sql: Sql): Promise<Sequence[]> {
  const created = await namesInMigrations(/\bcreate sequence (\w+)/gi);
  const names = await sql.query<{ name: string }>(
    `select pg_get_serial_sequence(table_name, column_name) as name from information_schema.columns
     where table_schema = current_schema() and is_identity = 'YES' and table_name = any($2::text[])
     union
     select quote_ident(sequencename) from pg_sequences
     where schemaname = current_schema() and sequencename = any($1::text[]) order by name`,
    [created, (await readTables(sql)).map(({ name }) => name)],
  );
  const sequences: Sequence[] = [];
  for (const { name } of names) {
    const [row] = await sql.query<Sequence>(
      `select last_value::text as value, is_called as "isCalled" from ${name}`,
    );
    if (row !== undefined) sequences.push({ ...row, name });
  }
  return sequences;
}

async function namesInMigrations(pattern: RegExp): Promise<string[]> {
  const files = (await readdir(migrationsFolder)).filter((name) => name.endsWith('.sql'));
  const texts = await Promise.all(
    files.map((name) => readFile(join(migrationsFolder, name), 'utf8')),
  );
  return texts.flatMap((text) => [...text.matchAll(pattern)].map(([, name = '']) => name));
}
