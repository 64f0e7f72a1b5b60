import { afterAll, beforeAll, expect, test } from 'vitest';
import { diagnose } from '../../../src/doctor/diagnose.ts';
import { exitCodeOf, type Finding } from '../../../src/doctor/finding.ts';
import { type Fleet, type Instance, openFleet } from './fleet.ts';

/*
 * On PostgreSQL the doctor reads the database itself while servers run: it does not need to ask one of them.
 */
let fleet: Fleet;
let instance: Instance;
let env: Record<string, string>;
beforeAll(async () => {
  fleet = await openFleet();
  instance = await fleet.start();
  const { baseUrl, token } = fleet.sandbox;
  env = {
    DATABASE_URL: fleet.storage.url ?? '',
    DATA_DIR: fleet.storage.dataDir,
    PORT: new URL(instance.url).port,
    PUBLIC_URL: instance.url,
    USEAPI_TOKEN: token,
    USEAPI_BASE_URL: baseUrl,
    ALLOW_ANONYMOUS: 'true',
  };
});
afterAll(() => fleet.stop());

const problemsOf = (found: readonly Finding[]) =>
  found.flatMap(({ problem }) => (problem === null ? [] : [problem]));

test('everything is in order beside a running instance, but for an address of this machine', async () => {
  const { findings } = await diagnose({ env });
  expect(problemsOf(findings)).toEqual(['public-url-loopback']);
  expect(findings.filter(({ severity }) => severity === 'skipped')).toEqual([]);
  expect(findings.map(({ message }) => message)).toEqual(
    expect.arrayContaining([
      'PostgreSQL answers.',
      "This machine's clock agrees with that of PostgreSQL.",
      "This machine's clock agrees with that of the video service.",
      'No lip-sync is stuck.',
      'A server runs and is ready.',
      'The video service accepts USEAPI_TOKEN.',
      'The account is in order.',
    ]),
  );
});

test('it finds a stuck lip-sync, a paused account and a clock that is ahead, and changes no row', async () => {
  const { db } = instance.app;
  const hourAgo = new Date(Date.now() - 3_700_000);
  // First, or the instance sends the lip-sync.
  await db.query(
    `update accounts set paused_by = 'SUBSCRIPTION_EXPIRED', probe_at = now() + interval '1 day'`,
  );
  await db.query(
    `insert into lipsyncs (id, owner, status, fingerprint, created_at)
     values (gen_random_uuid(), 'anonymous', 'QUEUED', 'f', $1)`,
    [hourAgo],
  );
  // Of the accounts the instance notes when it read them.
  const rows = () => db.query('select l.*, paused_by from lipsyncs l, accounts');
  const before = await rows();
  const now = () => new Date(Date.now() + 60_000);
  const { findings } = await diagnose({ env, now });
  expect(new Set(problemsOf(findings))).toEqual(
    new Set(['clock-skew', 'account-paused', 'lipsyncs-waiting', 'public-url-loopback']),
  );
  const ofPostgres = findings.filter(({ message }) => message.includes('that of PostgreSQL'));
  expect(ofPostgres).toMatchObject([{ problem: 'clock-skew' }]);
  expect(exitCodeOf(findings)).toBe(2);
  expect(await rows()).toEqual(before);
});
