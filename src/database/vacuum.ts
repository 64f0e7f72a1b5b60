import type { Database } from './sql.ts';

/**
 * The embedded database has no autovacuum: without this, the space of deleted rows would never be used again, and the
 * planner would have no statistics. Vacuums the tables that PostgreSQL's autovacuum would select by its defaults, and those
 * that have grown by a fifth, because a restart loses the counts of changed rows. Each table is one statement, which blocks
 * all other queries: for a second with a million rows.
 *
 * @returns the names of the tables
 */
export async function vacuumChangedTables(db: Database): Promise<string[]> {
  const tables = await db.query<{ name: string }>(
    `select format('%I.%I', schemaname, changed.relname) as name
     from pg_stat_user_tables changed join pg_class on pg_class.oid = changed.relid
     where relkind = 'r' and (
       n_dead_tup > 50 + 0.2 * greatest(reltuples, 0)
       or n_ins_since_vacuum > 1000 + 0.2 * greatest(reltuples, 0)
       or n_mod_since_analyze > 50 + 0.1 * greatest(reltuples, 0)
       or pg_relation_size(relid) / current_setting('block_size')::int > 10 + 1.2 * relpages)
     order by name`,
  );
  for (const { name } of tables) await db.query(`vacuum (analyze) ${name}`);
  return tables.map(({ name }) => name);
}
