import type { Database, DatabaseOptions } from './sql.ts';

export type { Database, QueryOptions, Row, Sql, Transaction } from './sql.ts';

/**
 * Connects to PostgreSQL if `url` is set, otherwise opens PGlite in `dataDir`. The same SQL runs on both.
 *
 * @throws {DataDirInUseError} when another process has `dataDir` open
 */
export async function connectDatabase(options: DatabaseOptions): Promise<Database> {
  const { url, dataDir, log, poolSize } = options;
  // Each driver is imported only if it is used, which shortens startup.
  if (url === undefined || url === null) {
    const { openEmbedded } = await import('./embedded.ts');
    return await openEmbedded(dataDir, log);
  }
  const { openPostgres } = await import('./postgres.ts');
  return await openPostgres({ url, log, poolSize });
}
