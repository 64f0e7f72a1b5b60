import type { TestProject } from 'vitest/node';
import { type PostgresServer, startPostgres } from './postgres.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Superuser's url of the server on which `testDatabase` makes its databases; not provided = PGlite. */
    postgresUrl?: string;
  }
}

let server: PostgresServer | undefined;

/** For `globalSetup`: the same tests on PostgreSQL, that of `TEST_POSTGRES_URL` or one of our own. */
export async function setup(project: TestProject): Promise<void> {
  let url = process.env.TEST_POSTGRES_URL;
  if (url === undefined) {
    server = await startPostgres();
    url = server.adminUrl;
  }
  project.provide('postgresUrl', url);
}

export async function teardown(): Promise<void> {
  await server?.remove();
}
