import type { Database, DatabaseOptions } from './sql.ts';

export type { Database, Row, Sql } from './sql.ts';

/**
 * PostgreSQL where a `url` is given, else PGlite in `dataDir`. The same SQL runs on both.
 *
 * @throws {DataDirInUseError} when another process has `dataDir` open
 */
export async function connectDatabase(options: DatabaseOptions): Promise<Database> {
  const { url, dataDir, log, poolSize } = options;
  // Either is read only where it is used: a start reads enough without.
  if (url === undefined || url === null) {
    const { openEmbedded } = await import('./embedded.ts');
    return await openEmbedded(dataDir, log);
  }
  const { openPostgres } = await import('./postgres.ts');
  return await openPostgres({ url, log, poolSize });
}
