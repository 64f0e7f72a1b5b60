import type { TestProject } from 'vitest/node';
import { createDatabase, dropDatabase, type PostgresServer, startPostgres } from './postgres.ts';
import { makeTables } from './tables.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The superuser URL of the server for test databases; not provided = PGlite. */
    postgresUrl?: string;
    /** A database with our tables and no rows, from which test databases are copied. */
    preparedUrl?: string;
  }
}

let server: PostgresServer | undefined;
let removePrepared: (() => Promise<void>) | undefined;

/** For `globalSetup`: runs the tests on the PostgreSQL of `TEST_POSTGRES_URL`, or on one that it starts. */
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
