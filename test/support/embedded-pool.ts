import { connectDatabase, type Database, type Sql } from '../../src/database/connect.ts';
import type { TestStorage } from './database.ts';

type Pooled = { db: Database; start: StartState; uses: number; close(): Promise<void> };

/** More would only use memory: few tests run more apps at once. */
const maxIdle = 2;

/** Deleted rows stay in the files. */
const maxUses = 40;

const idle: Pooled[] = [];

/**
 * An embedded database without the rows of earlier tests. To open one takes longer than the rest of an app, so `close` empties
 * it for the next test of this process.
 */
export async function takeEmbedded(makeStorage: () => Promise<TestStorage>): Promise<Database> {
  const pooled = idle.pop() ?? (await open(await makeStorage()));
  pooled.uses += 1;
  return lend(pooled);
}

async function open(storage: TestStorage): Promise<Pooled> {
  const db = await connectDatabase(storage);
  const close = async () => {
    await db.close();
    await storage.remove();
  };
  return { db, start: await readStart(db), uses: 0, close };
}

/** The database for one user of it, who cannot use it after `close`. */
function lend(pooled: Pooled): Database {
  const { db } = pooled;
  const unlisten = new Set<() => Promise<void>>();
  let closing: Promise<void> | undefined;
  const whileOpen = async <T>(work: () => Promise<T>): Promise<T> => {
    if (closing !== undefined) throw new Error('The database is closed.');
    return work();
  };
  return {
    kind: db.kind,
    query: (...given) => whileOpen(() => db.query(...given)),
    transaction: (...given) => whileOpen(() => db.transaction(...given)),
    ping: () => whileOpen(() => db.ping()),
    countConnections: () => db.countConnections(),
    listen: (...given) =>
      whileOpen(async () => {
        const stop = await db.listen(...given);
        unlisten.add(stop);
        return async () => {
          if (unlisten.delete(stop)) await stop();
        };
      }),
    close: () => {
      closing ??= (async () => {
        for (const stop of unlisten) await stop();
        await takeBack(pooled);
      })();
      return closing;
    },
  };
}

async function takeBack(pooled: Pooled): Promise<void> {
  if (pooled.uses >= maxUses || idle.length >= maxIdle || !(await reset(pooled))) {
    await pooled.close();
    return;
  }
  idle.push(pooled);
}

const tablesOfApp = `select format('%I.%I', schemaname, tablename) as name from pg_tables
  where schemaname in ('public', 'pgboss')`;

const sequencesOfApp = `select format('%I.%I', schemaname, sequencename) as name, last_value as value from pg_sequences
  where schemaname in ('public', 'pgboss')`;

/** Changes with every table, column, index, view, function and trigger. */
const definitions = `select
  (select md5(string_agg(oid || relname || relnatts, ',' order by oid)) from pg_class
    where relnamespace in ('public'::regnamespace, 'pgboss'::regnamespace)) as relations,
  (select md5(string_agg(attrelid || attname || attnotnull::text || atttypid, ',' order by attrelid, attnum)) from pg_attribute
    where attrelid >= 16384) as columns,
  (select md5(string_agg(oid || prosrc, ',' order by oid)) from pg_proc where oid >= 16384) as functions,
  (select md5(string_agg(oid || tgname || tgenabled::text, ',' order by oid)) from pg_trigger) as triggers,
  (select md5(string_agg(oid || conname, ',' order by oid)) from pg_constraint where oid >= 16384) as constraints`;

/** What `reset` restores, and the definitions without which it cannot. */
type StartState = {
  definitions: unknown;
  tables: string[];
  /** The rows that the migrations and pg-boss inserted, as a JSON list for each table. */
  rows: Map<string, string>;
  sequences: Map<string, number | null>;
};

async function readStart(db: Database): Promise<StartState> {
  const tables = (await db.query<{ name: string }>(tablesOfApp)).map(({ name }) => name);
  const rows = new Map<string, string>();
  for (const name of await findFilled(db, tables)) {
    const [all] = await db.query<{ list: string }>(
      `select json_agg(row)::text as list from ${name} row`,
    );
    rows.set(name, all?.list ?? '[]');
  }
  return {
    definitions: await db.query(definitions),
    tables,
    rows,
    sequences: await readSequences(db),
  };
}

async function findFilled(db: Sql, tables: string[]): Promise<string[]> {
  const each = tables.map((name) => `select '${name}' as name where exists (select from ${name})`);
  return (await db.query<{ name: string }>(each.join(' union all '))).map(({ name }) => name);
}

async function readSequences(db: Sql) {
  const all = await db.query<{ name: string; value: number | null }>(sequencesOfApp);
  return new Map(all.map(({ name, value }) => [name, value]));
}

/** False: the test changed the definitions, or a statement failed. */
async function reset({ db, start }: Pooled): Promise<boolean> {
  try {
    if (JSON.stringify(await db.query(definitions)) !== JSON.stringify(start.definitions)) {
      return false;
    }
    await db.transaction((tx) => restore(tx, start));
    await db.query('select pg_advisory_unlock_all()');
    return true;
  } catch {
    return false;
  }
}

async function restore(tx: Sql, { tables, rows, sequences }: StartState): Promise<void> {
  // Without triggers and foreign keys.
  await tx.query('set local session_replication_role = replica');
  for (const name of await findFilled(tx, tables)) await tx.query(`delete from ${name}`);
  for (const [name, list] of rows) {
    await tx.query(
      `insert into ${name} overriding system value
       select * from json_populate_recordset(null::${name}, $1::text::json)`,
      [list],
    );
  }
  for (const [name, value] of await readSequences(tx)) {
    const first = sequences.get(name) ?? null;
    if (value === first) continue;
    await tx.query(
      first === null ? `alter sequence ${name} restart` : `select setval('${name}', ${first})`,
    );
  }
}
