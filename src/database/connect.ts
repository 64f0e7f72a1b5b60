import { openEmbedded } from './embedded.ts';
import { openPostgres } from './postgres.ts';
import type { Database, DatabaseOptions } from './sql.ts';

export type { Database, Row, Sql } from './sql.ts';

/**
 * PostgreSQL where a `url` is given, else PGlite in `dataDir`. The same SQL runs on both.
 *
 * @throws {DataDirInUseError} when another process has `dataDir` open
 */
export async function connectDatabase(options: DatabaseOptions): Promise<Database> {
  const { url, dataDir, log, poolSize } = options;
  return url === undefined || url === null
    ? openEmbedded(dataDir, log)
    : openPostgres({ url, log, poolSize });
}
