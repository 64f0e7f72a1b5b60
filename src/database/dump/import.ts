import type { Database, Sql } from '../sql.ts';
import type { DumpPart } from './export.ts';
import { readTables, type Table } from './tables.ts';

/** True if any of our tables has a row. */
export async function hasRows(sql: Sql): Promise<boolean> {
  for (const { name } of await readTables(sql)) {
    const found = await sql.query(`select 1 from "${name}" limit 1`);
    if (found.length > 0) return true;
  }
  return false;
}

/** Other connections of this program to the same database. Always 0 on the embedded one, whose folder is locked. */
export async function countOtherInstances(sql: Sql): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    `select count(*)::int as count from pg_stat_activity
     where datname = current_database() and application_name = 'lipsync-graphql'
       and pid <> pg_backend_pid()`,
  );
  return row?.count ?? 0;
}

/**
 * Replaces the rows of our tables by those of a dump, in one transaction: a dump that breaks off changes nothing. Triggers
 * do not run, because the tables that they maintain are in the dump.
 *
 * @returns the number of inserted rows
 */
export async function importRows(
  db: Database,
  parts: AsyncIterable<DumpPart>,
  finish: (tx: Sql) => Promise<void>,
): Promise<number> {
  let isConsumed = false;
  return db.transaction(
    async (tx) => {
      if (isConsumed) throw new Error('The dump cannot be read twice.');
      isConsumed = true;
      const tables = await readTables(tx);
      await emptyTables(tx, tables);
      const inserted = await insertAll(tx, parts, tables);
      for (const { name } of tables) await tx.query(`alter table "${name}" enable trigger user`);
      await finish(tx);
      return inserted;
    },
    { answerTimeoutMs: 3_600_000 },
  );
}

async function emptyTables(tx: Sql, tables: readonly Table[]): Promise<void> {
  if (tables.length === 0) return;
  await tx.query('set local statement_timeout = 0');
  await tx.query(`truncate ${tables.map(({ name }) => `"${name}"`).join(', ')}`);
  for (const { name } of tables) await tx.query(`alter table "${name}" disable trigger user`);
}

async function insertAll(
  tx: Sql,
  parts: AsyncIterable<DumpPart>,
  tables: readonly Table[],
): Promise<number> {
  const columnsOf = new Map(tables.map(({ name, columns }) => [name, columns]));
  let inserted = 0;
  for await (const part of parts) {
    if (part.kind === 'sequence') {
      await tx.query('select setval($1::regclass, $2::text::bigint, $3::boolean)', [
        part.name,
        part.value,
        part.isCalled,
      ]);
      continue;
    }
    const columns = columnsOf.get(part.table);
    if (columns === undefined) throw new Error(`There is no table ${part.table}.`);
    const list = columns.map((column) => `"${column}"`).join(', ');
    await tx.query(
      `insert into "${part.table}" (${list}) overriding system value
       select ${list} from json_populate_recordset(null::"${part.table}", $1::text::json)`,
      [part.rows],
    );
    inserted += part.count;
  }
  return inserted;
}
