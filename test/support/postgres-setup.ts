import type { TestProject } from 'vitest/node';
import { createDatabase, dropDatabase, type PostgresServer, startPostgres } from './postgres.ts';
import { makeTables } from './tables.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Superuser's url of the server on which `testDatabase` makes its databases; not provided = PGlite. */
    postgresUrl?: string;
    /** A database there that holds our tables and no rows: those that `testDatabase` makes are copies. */
    preparedUrl?: string;
  }
}

let server: PostgresServer | undefined;
let removePrepared: (() => Promise<void>) | undefined;

/** For `globalSetup`: the same tests on PostgreSQL, that of `TEST_POSTGRES_URL` or one of our own. */
export async function setup(project: TestProject): Promise<void> {
  let url = process.env.TEST_POSTGRES_URL;
  if (url === undefined) {
    server = await startPostgres();
    url = server.adminUrl;
  }
  const preparedUrl = await createDatabase(url);
  removePrepared = () => dropDatabase(url, preparedUrl);
  await makeTables({ url: preparedUrl, dataDir: '' });
  project.provide('postgresUrl', url);
  project.provide('preparedUrl', preparedUrl);
}

export async function teardown(): Promise<void> {
  await removePrepared?.();
  await server?.remove();
}
