import type { Sql } from './sql.ts';

/** Values that the server generates once and stores in the table `settings`. Null if there is no value under the name. */
export async function readSetting(sql: Sql, name: string): Promise<string | null> {
  const [row] = await sql.query<{ value: string }>('select value from settings where name = $1', [
    name,
  ]);
  return row?.value ?? null;
}

/**
 * Stores the value unless the name has one already. Concurrent callers all get the one value that was stored.
 *
 * @returns the stored value, which is another instance's if that instance was first
 */
export async function createSettingOnce(sql: Sql, name: string, value: string): Promise<string> {
  await sql.query('insert into settings (name, value) values ($1, $2) on conflict do nothing', [
    name,
    value,
  ]);
  const stored = await readSetting(sql, name);
  if (stored === null) throw new Error(`The setting ${name} was not stored.`);
  return stored;
}

/** Stores the value under the name, and replaces a previous one. */
export async function setSetting(sql: Sql, name: string, value: string): Promise<void> {
  await sql.query(
    `insert into settings (name, value) values ($1, $2)
     on conflict (name) do update set value = excluded.value`,
    [name, value],
  );
}

export async function deleteSetting(sql: Sql, name: string): Promise<void> {
  await sql.query('delete from settings where name = $1', [name]);
}
