import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectDatabase, type Database } from '../../src/database/connect.ts';
import { lockDataDir } from '../../src/database/lock.ts';
import { type DiagnoseOptions, diagnose } from '../../src/doctor/diagnose.ts';
import { exitCodeOf, type Finding, formatFinding, problems } from '../../src/doctor/finding.ts';
import { pageOf } from '../docs/pages.ts';
import { startTestApp } from '../support/app.ts';
import { silentLog, type TestStorage, testStorage } from '../support/database.ts';
import { startFakeUpstream } from '../support/fake-upstream/server.ts';
import { findFreePort } from '../support/free-port.ts';

const root = join(import.meta.dirname, '../..');
const email = 'studio@example.com';

let storage: TestStorage;
let env: Record<string, string>;
let port: number;
let closers: (() => Promise<unknown>)[];
beforeEach(async () => {
  closers = [];
  storage = await testStorage();
  port = await findFreePort();
  env = { DATA_DIR: storage.dataDir, PORT: String(port) };
});
afterEach(async () => {
  for (const close of closers.reverse()) await close();
  await storage.remove();
});

async function listen(handler: RequestListener): Promise<string> {
  const server: Server = createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(async () => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function live(given: Parameters<typeof startFakeUpstream>[0] = {}) {
  const upstream = await startFakeUpstream({ accounts: [{ email, maxJobs: 3 }], ...given });
  closers.push(upstream.close);
  Object.assign(env, {
    USEAPI_TOKEN: upstream.token,
    USEAPI_BASE_URL: upstream.baseUrl,
    ALLOW_ANONYMOUS: 'true',
    PUBLIC_URL: 'http://127.0.0.1:1',
  });
  return upstream;
}

async function inDatabase(work: (db: Database) => Promise<unknown>): Promise<void> {
  const db = await connectDatabase({ dataDir: storage.dataDir, log: silentLog });
  await work(db).finally(() => db.close());
}

async function findings(options: DiagnoseOptions = {}): Promise<Finding[]> {
  return (await diagnose({ env, ...options })).findings;
}

const problemsOf = (found: readonly Finding[]) =>
  found.flatMap(({ problem }) => (problem === null ? [] : [problem]));

async function insertLipsync(db: Database, status: string, ageMs: number): Promise<void> {
  await db.query(
    `insert into lipsyncs (id, owner, status, fingerprint, created_at, post_started_at, submitted_at)
     values (gen_random_uuid(), 'anonymous', $1, 'f', $2, $2, $2)`,
    [status, new Date(Date.now() - ageMs)],
  );
}

describe('finds nothing', () => {
  test('in a sandbox that was never started, and creates nothing', async () => {
    const dataDir = join(storage.dataDir, 'new');
    const found = await findings({ env: { ...env, DATA_DIR: dataDir } });
    expect(problemsOf(found)).toEqual([]);
    expect(exitCodeOf(found)).toBe(0);
    await expect(rm(dataDir)).rejects.toThrow('ENOENT');
  });

  test('in the database of a stopped server, which it does not change', async () => {
    await live();
    const found = await findings();
    expect(problemsOf(found)).toEqual(['public-url-loopback']);
    expect(exitCodeOf(found)).toBe(1);
    const areas = found.filter(({ severity }) => severity === 'ok').map(({ area }) => area);
    expect(areas).toEqual(
      expect.arrayContaining(['configuration', 'disk', 'database', 'migrations', 'lipsyncs']),
    );
    expect(areas).toEqual(expect.arrayContaining(['upstream', 'accounts', 'clock']));
  });

  test('at a running server, which it asks for what only that server can read', async () => {
    const app = await startTestApp({ storage, env: { ALLOW_ANONYMOUS: 'true' } });
    closers.push(app.stop);
    const own = { ...env, PORT: new URL(app.url).port };
    const found = await findings({ env: own });
    expect(problemsOf(found)).toEqual([]);
    const said = (area: string) => found.find((each) => each.area === area)?.message;
    expect(said('database')).toContain('in use');
    expect(said('server')).toBe('A server runs and is ready.');
    expect(said('public-url')).toBe('Callbacks to PUBLIC_URL arrive at this server.');
    expect(said('accounts')).toBe('All 2 accounts are in order.');
  });
});

describe('finds and names', () => {
  test('every mistake of the configuration, without a value', async () => {
    const found = await findings({
      env: { PORT: 'sixty', LOG_LEVEL: 'loud', USEAPI_TOKEN: 'user:1-secret' },
    });
    expect(problemsOf(found)).toEqual(Array(3).fill('configuration-invalid'));
    const text = JSON.stringify(found);
    for (const name of ['PORT', 'LOG_LEVEL', 'AUTH_JWKS_URL']) expect(text).toContain(name);
    expect(text).not.toMatch(/sixty|loud|secret/);
    expect(exitCodeOf(found)).toBe(2);
  });

  test('a PostgreSQL that cannot be reached', async () => {
    const url = `postgres://someone:s3cr3t@127.0.0.1:${port}/none`;
    const found = await findings({ env: { ...env, DATABASE_URL: url } });
    const [problem] = found.filter((each) => each.problem === 'database-unreachable');
    expect(problem?.message).toContain('ECONNREFUSED');
    expect(JSON.stringify(found)).not.toMatch(/someone|s3cr3t/);
  });

  test('a database that a newer version made', async () => {
    await inDatabase((db) =>
      db.query(`insert into schema_migrations (name, checksum) values ('9999-later.sql', 'x')`),
    );
    const found = await findings();
    expect(problemsOf(found)).toEqual(['migrations-unknown']);
    expect(JSON.stringify(found)).toContain('9999-later.sql');
  });

  test('a database that a newer version made, which allows this one', async () => {
    await inDatabase(async (db) => {
      // As the migration of a newer version does it.
      await db.query('alter table schema_migrations add column if not exists oldest text');
      await db.query(
        `insert into schema_migrations (name, checksum, oldest)
         select '9999-later.sql', 'x', max(name) from schema_migrations`,
      );
    });
    const found = await findings();
    expect(problemsOf(found)).toEqual(['migrations-newer']);
    expect(exitCodeOf(found)).toBe(1);
  });

  test('a database that the next start upgrades', async () => {
    await inDatabase((db) =>
      db.query(
        'delete from schema_migrations where name = (select max(name) from schema_migrations)',
      ),
    );
    expect(problemsOf(await findings())).toEqual(['migrations-pending']);
  });

  test('a damaged embedded database', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'lipsync-damaged-'));
    closers.push(() => rm(dataDir, { recursive: true }));
    await mkdir(join(dataDir, 'database'));
    await writeFile(join(dataDir, 'database/PG_VERSION'), '18');
    const found = await findings({ env: { ...env, DATA_DIR: dataDir } });
    expect(problemsOf(found)).toEqual(['database-damaged']);
  });

  test('a DATA_DIR that another process uses, and does not open it', async () => {
    closers.push(await lockDataDir(storage.dataDir, silentLog));
    expect(problemsOf(await findings())).toEqual(['data-dir-in-use']);
  });

  test('a DATA_DIR that this user cannot write', async () => {
    const readSpace = async () => ({ freeBytes: 1e12, isWritable: false });
    const found = await findings({ readSpace });
    expect(problemsOf(found)).toEqual(['data-dir-not-writable']);
    expect(exitCodeOf(found)).toBe(2);
  });

  test('a server that is not ready', async () => {
    const url = await listen((_, response) => response.writeHead(503).end());
    env.PORT = new URL(url).port;
    expect(problemsOf(await findings())).toContain('server-not-ready');
  });

  test('a token that the video service rejects', async () => {
    await live();
    env.USEAPI_TOKEN = 'user:1-wrong';
    const found = await findings();
    expect(problemsOf(found)).toContain('upstream-token-rejected');
    expect(JSON.stringify(found)).not.toContain('user:1-wrong');
  });

  test('a video service that does not answer', async () => {
    await live();
    env.USEAPI_BASE_URL = `http://127.0.0.1:${port}`;
    expect(problemsOf(await findings())).toContain('upstream-unreachable');
  });

  test.each([
    [402, 'upstream-subscription-expired'],
    [503, 'upstream-failing'],
  ])('a video service that answers %d', async (status, problem) => {
    const { reply } = await live();
    reply('GET /accounts', { status, body: '{"error":"Not now."}' });
    const found = await findings();
    expect(problemsOf(found)).toContain(problem);
    expect(exitCodeOf(found)).toBe(2);
  });

  test('no account at the video service', async () => {
    await live({ accounts: [] });
    expect(problemsOf(await findings())).toContain('no-accounts');
  });

  test('an account with a pending error and one without credits, without their e-mail addresses', async () => {
    await live({
      accounts: [
        { email, maxJobs: 3, error: 'Your account has pending error' },
        { email: 'poor@example.com', maxJobs: 3, credits: 0 },
      ],
    });
    const upstreamOnly = (await findings()).filter(({ area }) => area === 'accounts');
    expect(problemsOf(upstreamOnly)).toEqual(['account-pending-error', 'account-without-credits']);
    expect(JSON.stringify(upstreamOnly)).not.toContain('@');
  });

  test('paused accounts of the database: an error only if none is open', async () => {
    const pause = (id: string) =>
      inDatabase((db) =>
        db.query(
          `insert into accounts (id, email, paused_by) values ($1, $1 || '@example.com', $2)`,
          [id, id === 'a' ? 'INSUFFICIENT_CREDITS' : 'UPSTREAM_UNAUTHORIZED'],
        ),
      );
    await inDatabase((db) =>
      db.query(`insert into accounts (id, email) values ('open', 'open@example.com')`),
    );
    await pause('a');
    await pause('b');
    const found = await findings();
    expect(problemsOf(found)).toEqual(['account-without-credits', 'account-paused']);
    expect(exitCodeOf(found)).toBe(1);
    await inDatabase((db) => db.query(`delete from accounts where id = 'open'`));
    expect(exitCodeOf(await findings())).toBe(2);
  });

  test.each([
    { status: 'QUEUED', minutes: 90, problem: 'lipsyncs-waiting', age: 'for 1 hour' },
    { status: 'SUBMITTING', minutes: 30, problem: 'lipsyncs-outcome-unknown', age: 'for 30 min' },
    { status: 'GENERATING', minutes: 180, problem: 'lipsyncs-running-long', age: 'for 3 hours' },
  ])('a lip-sync that is $status for $minutes minutes', async (given) => {
    const { status, minutes, problem, age } = given;
    await inDatabase(async (db) => {
      await insertLipsync(db, status, minutes * 60_000);
      await insertLipsync(db, status, 1_000);
    });
    const found = await findings();
    expect(problemsOf(found)).toEqual([problem]);
    const message = found.find((each) => each.problem === problem)?.message;
    expect(message).toContain('1 lip-sync is');
    expect(message).toContain(age);
  });

  test.each<[string, RequestListener, string]>([
    ['is answered by another server', (_, response) => response.writeHead(404).end(), 'elsewhere'],
    [
      'redirects',
      (_, response) => response.writeHead(301, { location: 'https://x.example' }).end(),
      'redirects',
    ],
    ['is not a name of the server', (_, response) => response.writeHead(421).end(), 'unknown-host'],
  ])('a PUBLIC_URL that %s', async (_, handler, problem) => {
    env.PUBLIC_URL = await listen(handler);
    expect(problemsOf(await findings())).toEqual([`public-url-${problem}`]);
  });

  test('a PUBLIC_URL that does not answer while a server runs', async () => {
    const app = await startTestApp({ storage });
    closers.push(app.stop);
    const own = { PORT: new URL(app.url).port, PUBLIC_URL: `http://127.0.0.1:${port}` };
    expect(problemsOf(await findings({ env: { ...env, ...own } }))).toEqual([
      'public-url-unreachable',
    ]);
  });

  test('a port that another program has', async () => {
    const url = await listen((_, response) => response.writeHead(404).end());
    env.PORT = new URL(url).port;
    expect(problemsOf(await findings())).toEqual(['port-taken', 'public-url-elsewhere']);
  });

  test.each([
    [30_000, 'behind', 1],
    [-3_600_000, 'ahead of', 2],
  ])('a clock that differs by %d ms', async (byMs, direction, exitCode) => {
    const theirs = new Date(Date.now() + byMs).toUTCString();
    const upstream = await listen((_, response) => {
      response.setHeader('date', theirs);
      response.end(`{ "${email}": { "email": "${email}", "maxJobs": 3 } }`);
    });
    await live();
    env.USEAPI_BASE_URL = upstream;
    const found = await findings();
    const skew = found.find(({ problem }) => problem === 'clock-skew');
    expect(skew?.message).toContain(direction);
    expect(exitCodeOf(found)).toBe(exitCode);
  });

  test.each([
    [1e9, 1],
    [1e8, 2],
  ])('a disk with %d bytes left', async (freeBytes, exitCode) => {
    const found = await findings({ readSpace: async () => ({ freeBytes, isWritable: true }) });
    expect(problemsOf(found)).toEqual(['disk-low']);
    expect(exitCodeOf(found)).toBe(exitCode);
  });
});

/** What the page shows of each broken set-up. Of a finding that is a problem, both lines. */
const brokenSetUps: Record<string, () => Promise<Finding[]>> = {
  configuration: () => findings({ env: { ...env, PORT: 'sixty' } }),
  disk: () => findings({ readSpace: async () => ({ freeBytes: 1e8, isWritable: true }) }),
  database: () => findings({ env: { ...env, DATABASE_URL: `postgres://127.0.0.1:${port}/none` } }),
  migrations: async () => {
    await inDatabase((db) =>
      db.query("insert into schema_migrations (name, checksum) values ('0099-later.sql', 'x')"),
    );
    return findings();
  },
  'public-url': async () => {
    env.PUBLIC_URL = await listen((_, response) => response.writeHead(404).end());
    return findings();
  },
  upstream: async () => {
    await live();
    env.USEAPI_TOKEN = 'user:1-wrong';
    return findings();
  },
  clock: async () => {
    await live();
    env.USEAPI_BASE_URL = await listen((_, response) => {
      response.setHeader('date', new Date(Date.now() - 8_000_000).toUTCString());
      response.end(`{ "${email}": { "email": "${email}", "maxJobs": 3 } }`);
    });
    return findings();
  },
  accounts: async () => {
    await live({ accounts: [{ email, maxJobs: 3, error: 'Your account has pending error' }] });
    return findings();
  },
  lipsyncs: async () => {
    await inDatabase((db) => insertLipsync(db, 'SUBMITTING', 1_900_000));
    return findings();
  },
};

test('docs/operations.md shows what it prints about a broken set-up of each area', async () => {
  const shown: string[] = [];
  for (const [area, breakIt] of Object.entries(brokenSetUps)) {
    const bad = (await breakIt()).filter((each) => each.problem !== null && each.area === area);
    expect([area, bad.length]).toEqual([area, 1]);
    shown.push(...bad.map(formatFinding));
    for (const close of closers.splice(0).reverse()) await close();
    await storage.remove();
    storage = await testStorage();
    env = { DATA_DIR: storage.dataDir, PORT: String(port) };
  }
  const blocks = pageOf('docs/operations.md').blocks.filter(({ role }) => role === 'doctor');
  const text = shown.join('\n').replaceAll(/: [\w-]{40,}\.$/gm, ': ….');
  expect(blocks.map((block) => block.text.trim())).toEqual([text]);
});

test('docs/operations.md has every problem, and a test of each', async () => {
  const documented = pageOf('docs/operations.md').rows.flatMap(([first = '']) =>
    /^`[a-z]+-/.test(first) ? [...first.matchAll(/`([a-z-]+)`/g)].map(([, name]) => name) : [],
  );
  expect(documented.toSorted()).toEqual([...problems].toSorted());
  const files = ['doctor.test.ts', 'probe.test.ts'].map((name) => join(import.meta.dirname, name));
  const tests = (await Promise.all(files.map((file) => readFile(file, 'utf8')))).join('\n');
  const untested = problems.filter((name) => !tests.includes(`'${name}'`));
  // The table of PUBLIC_URL's problems leaves their beginning out.
  expect(
    untested.filter((name) => !tests.includes(`'${name.replace('public-url-', '')}'`)),
  ).toEqual([]);
});

describe('prints', () => {
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  const run = (args: string[], given: Record<string, string>) =>
    promisify(execFile)(process.execPath, ['--liftoff-only', 'src/doctor.ts', ...args], {
      cwd: root,
      env: { PATH, NODE_COMPILE_CACHE, ...given },
    }).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (failed: { code: number; stdout: string; stderr: string }) => failed,
    );

  test('JSON with --json, and exits with 2 on errors', async () => {
    const { code, stdout } = await run(['--json'], { ...env, PORT: 'sixty' });
    expect(code).toBe(2);
    const [finding] = (JSON.parse(stdout) as { findings: Finding[] }).findings;
    expect(finding).toEqual({
      area: 'configuration',
      severity: 'error',
      problem: 'configuration-invalid',
      message: 'PORT must be a whole number from 0 to 65535.',
      advice: expect.stringContaining('.env.example') as string,
    });
  });

  test('a paragraph for each finding with its advice, and exits with 0 without a problem', async () => {
    const { code, stdout } = await run([], env);
    expect(stdout).toContain('✓ database');
    expect(stdout).toContain('No problem was found.');
    expect(code).toBe(0);
  });

  test('that an option is wrong, and exits with 64', async () => {
    const { code, stderr } = await run(['--repair'], env);
    expect(stderr).toContain("'--repair'");
    expect(code).toBe(64);
  });
});
