import type { Database, QueryOptions, Row, Sql } from '../../src/database/connect.ts';

/** What a statement read when it was executed. */
export type ReadCost = {
  text: string;
  /** Rows of `historyTables` that were read from the table or an index, also those that a filter then removed. */
  rows: number;
  /** Pages of tables and indexes. */
  pages: number;
  /** Those of `historyTables` that were read whole, or would be by the kept plan of a prepared statement on PostgreSQL. */
  scanned: string[];
  /** How the tables were read. */
  by: string;
};

/** Tables that grow with every lip-sync, webhook or upload. */
const historyTables: ReadonlySet<string> = new Set([
  'lipsyncs',
  'lipsync_events',
  'videos',
  'owner_videos',
  'webhook_deliveries',
  'uploads',
  'erasures',
  'refusals',
  'usage_days',
]);

/** A statement is explained this often for each shape of its parameters: the first time there may be no live work. */
const maxRuns = 5;

type PlanNode = {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  'Rows Removed by Index Recheck'?: number;
  'Shared Hit Blocks': number;
  'Shared Read Blocks': number;
  Plans?: PlanNode[];
};

const isOurs = (text: string) =>
  /^\s*(select|insert|update|delete|with)\b/i.test(text) && !/\bpgboss\./.test(text);

/**
 * Wraps a database so that each statement is first executed by `explain analyze` and rolled back. The statements are those
 * that the program sends, so a new one needs no entry anywhere. Those of pg-boss are left out.
 */
export function recordReads(db: Database): Database & { reads: ReadCost[] } {
  const reads: ReadCost[] = [];
  const runs = new Map<string, number>();
  const mustExplain = (text: string, params: readonly unknown[] = []): boolean => {
    if (!isOurs(text)) return false;
    const key = [text, ...params.map(shapeOf)].join('\n');
    const count = (runs.get(key) ?? 0) + 1;
    runs.set(key, count);
    return count <= maxRuns;
  };

  type Explained = { 'QUERY PLAN': [{ Plan: PlanNode }] };

  async function explain(
    { query, isPrepared = false }: Sql & QueryOptions,
    text: string,
    params: readonly unknown[] = [],
  ) {
    const [row] = await query<Explained>(`explain (analyze, buffers, format json) ${text}`, params);
    if (row === undefined) return;
    const cost = costOf(row['QUERY PLAN'][0].Plan);
    const kept =
      isPrepared && db.kind === 'postgres'
        ? await query<Explained>(`explain (generic_plan, format json) ${text}`)
        : [];
    const scannedByKept = kept.flatMap((each) => scannedBy(each['QUERY PLAN'][0].Plan));
    reads.push({ text, ...cost, scanned: [...cost.scanned, ...scannedByKept] });
  }

  return {
    ...bindAll(db),
    kind: db.kind,
    reads,
    async query<R extends Row>(
      text: string,
      params?: readonly unknown[],
      options?: QueryOptions,
    ): Promise<R[]> {
      if (mustExplain(text, params)) {
        await db
          .transaction(async (tx) => {
            await explain({ ...tx, ...options }, text, params);
            throw new RolledBack();
          })
          .catch(ignoreRollback);
      }
      return db.query<R>(text, params);
    },
    transaction: (work) =>
      db.transaction(async (tx) => {
        // Statements that the program sends without waiting must not come between a savepoint and its rollback.
        let last: Promise<unknown> = Promise.resolve();
        const run = async <R extends Row>(
          text: string,
          params?: readonly unknown[],
          options?: QueryOptions,
        ) => {
          if (mustExplain(text, params)) {
            await tx.query('savepoint explained');
            await explain({ ...tx, ...options }, text, params);
            await tx.query('rollback to savepoint explained');
          }
          return tx.query<R>(text, params);
        };
        return work({
          // COMMIT must come after the savepoints of the last statements.
          finish: (statements) => statements(),
          query<R extends Row>(
            text: string,
            params?: readonly unknown[],
            options?: QueryOptions,
          ): Promise<R[]> {
            const result = last.then(() => run<R>(text, params, options));
            last = result.catch(() => undefined);
            return result;
          },
        });
      }),
  };
}

class RolledBack extends Error {}

function ignoreRollback(error: unknown): void {
  if (!(error instanceof RolledBack)) throw error;
}

function bindAll(db: Database): Pick<Database, 'listen' | 'ping' | 'close' | 'countConnections'> {
  return {
    listen: db.listen.bind(db),
    ping: db.ping.bind(db),
    close: db.close.bind(db),
    countConnections: db.countConnections.bind(db),
  };
}

function shapeOf(param: unknown): string {
  if (param === null || param === undefined) return 'null';
  return Array.isArray(param) ? `list of ${Math.min(param.length, 2)}` : 'value';
}

function costOf(plan: PlanNode): Omit<ReadCost, 'text'> {
  const nodes = flatten(plan).filter((node) => historyTables.has(node['Relation Name'] ?? ''));
  const scans = nodes.filter((node) => node['Node Type'].endsWith('Scan'));
  return {
    rows: scans.reduce((sum, node) => sum + rowsOf(node), 0),
    pages: plan['Shared Hit Blocks'] + plan['Shared Read Blocks'],
    scanned: scans
      .filter((node) => node['Node Type'] === 'Seq Scan' && node['Actual Loops'] > 0)
      .map((node) => node['Relation Name'] ?? ''),
    by: flatten(plan)
      .map((node) => node['Index Name'] ?? node['Node Type'])
      .join(', '),
  };
}

/** By a plan that was not executed. */
function scannedBy(plan: PlanNode): string[] {
  return flatten(plan)
    .filter((node) => node['Node Type'] === 'Seq Scan')
    .map((node) => node['Relation Name'] ?? '')
    .filter((name) => historyTables.has(name));
}

function rowsOf(node: PlanNode): number {
  const { 'Rows Removed by Filter': filtered = 0, 'Rows Removed by Index Recheck': rechecked = 0 } =
    node;
  return (node['Actual Rows'] + filtered + rechecked) * node['Actual Loops'];
}

function flatten(plan: PlanNode): PlanNode[] {
  return [plan, ...(plan.Plans ?? []).flatMap(flatten)];
}
