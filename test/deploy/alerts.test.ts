import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setImmediate, setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { parser } from '@prometheus-io/lezer-promql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { TemporarilyUnavailableError } from '../../src/unavailable.ts';
import { importOperations } from '../domains/uploads/imports/import-app.ts';
import { openReceiver } from '../domains/webhooks/webhook-receiver.ts';
import { openFileServer } from '../support/file-server.ts';
import { shortIntervals, startLipsyncApp } from '../support/lipsync-app.ts';
import { readMarkdown } from '../support/markdown.ts';
import { readDefinitions, type Sample, scrape, sumOf } from '../support/metrics.ts';

const run = promisify(execFile);

type Rule = {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string; runbook: string };
};
const alertsFile = resolve('deploy/alerts.yaml');
const { groups } = parse(readFileSync(alertsFile, 'utf8')) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);

type Panel = { title: string; type: string; targets?: { expr: string }[] };
const { panels } = JSON.parse(readFileSync('deploy/grafana/lipsync-graphql.json', 'utf8')) as {
  panels: Panel[];
};
const targets = panels.flatMap(({ title, targets: own = [] }) =>
  own.map(({ expr }) => ({ title, expr })),
);

/** The metrics and labels of an expression. Throws if it does not parse. */
function namesIn(expr: string): { metrics: string[]; labels: string[] } {
  const metrics: string[] = [];
  const labels: string[] = [];
  parser.parse(expr).iterate({
    enter({ type, from, to }) {
      if (type.isError) throw new Error(`Not PromQL at ${from}: ${expr}`);
      const text = expr.slice(from, to);
      if (type.name === 'Identifier') metrics.push(text);
      if (type.name === 'LabelName') labels.push(text);
    },
  });
  return { metrics, labels };
}

/** What Prometheus itself adds. */
const ofPrometheus = { metrics: ['up'], labels: ['job', 'instance', 'le'] };

async function knownNames() {
  const definitions = await readDefinitions();
  const metrics = definitions.flatMap(({ name, type }) =>
    type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  );
  const labels = definitions.flatMap((each) => each.labels);
  return {
    metrics: new Set([...metrics, ...ofPrometheus.metrics]),
    labels: new Set([...labels, ...ofPrometheus.labels]),
  };
}

describe('every expression names metrics and labels of this server', () => {
  const places = [
    ...rules.map(({ alert, expr }) => ({ place: alert, expr })),
    ...targets.map(({ title, expr }) => ({ place: title, expr })),
  ];

  test.each(places)('$place', async ({ expr }) => {
    const known = await knownNames();
    const { metrics, labels } = namesIn(expr);
    expect(metrics.length).toBeGreaterThan(0);
    expect(metrics.filter((name) => !known.metrics.has(name))).toEqual([]);
    expect(labels.filter((name) => !known.labels.has(name))).toEqual([]);
  });

  test('finds an expression that does not parse, and an unknown name', async () => {
    expect(() => namesIn('sum(rate(lipsync_polls_total[5m])')).toThrow('Not PromQL');
    expect((await knownNames()).metrics).not.toContain('lipsync_polls');
    expect(namesIn('sum by (account) (a{b="c"})')).toEqual({
      metrics: ['a'],
      labels: ['account', 'b'],
    });
  });

  test('the dashboard shows every metric that docs/metrics.md describes', () => {
    const shown = new Set(
      targets.flatMap(({ expr }) =>
        namesIn(expr).metrics.map((name) => name.replace(/_(bucket|count)$/, '')),
      ),
    );
    const rows = readMarkdown(readFileSync('docs/metrics.md', 'utf8')).rows;
    const documented = rows.flatMap(([first = '']) => /^`(\w+)`/.exec(first)?.[1] ?? []);
    expect(documented.length).toBeGreaterThan(25);
    expect(documented.filter((name) => !shown.has(name))).toEqual([]);
  });
});

test('docs/metrics.md names for each metric the alerts that use it, and no other', () => {
  const used = (name: string) =>
    rules
      .filter(({ expr }) =>
        namesIn(expr).metrics.some((each) => each.replace(/_(bucket|count)$/, '') === name),
      )
      .map(({ alert }) => alert);
  const rows = readMarkdown(readFileSync('docs/metrics.md', 'utf8')).rows;
  const described = rows.filter(([first = '']) => first.startsWith('`'));
  for (const [first = '', , , alerts = ''] of described) {
    const name = /^`(\w+)`/.exec(first)?.[1] ?? '';
    const named = [...alerts.matchAll(/`(\w+)`/g)].map(([, alert]) => alert);
    expect([name, named.toSorted()]).toEqual([name, used(name).toSorted()]);
  }
});

test('each alert says what to do, on a page and under a heading that exist', () => {
  const { anchors } = readMarkdown(readFileSync('docs/operations.md', 'utf8'));
  for (const { annotations, labels } of rules) {
    const [page, anchor = ''] = annotations.runbook.split('#');
    expect([page, anchors.has(anchor), annotations.runbook]).toEqual([
      'docs/operations.md',
      true,
      annotations.runbook,
    ]);
    expect(['page', 'ticket']).toContain(labels.severity);
  }
});

/*
 * `promtool` of Prometheus, from the Debian package `prometheus`: the gate unpacks it. Without it these tests fail.
 */
const promtool = process.env.PROMTOOL ?? 'promtool';

async function callPromtool(...args: string[]): Promise<string> {
  try {
    const { stdout } = await run(promtool, args);
    return stdout;
  } catch (error) {
    const {
      code,
      stdout = '',
      stderr = '',
    } = error as { code?: unknown; stdout?: string; stderr?: string };
    if (code === 'ENOENT') {
      throw new Error(
        'promtool is missing: install the Debian package prometheus, or set PROMTOOL.',
      );
    }
    throw new Error(`${stdout}\n${stderr}`);
  }
}

test('promtool finds no mistake in deploy/alerts.yaml', async () => {
  expect(await callPromtool('check', 'rules', alertsFile)).toContain(`${rules.length} rules found`);
});

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lipsync-alerts-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

type Series = { series: string; values: string };

const minutes = 90;

/**
 * The alerts that Prometheus would have fired after an hour and a half with these series. promtool compares with what is
 * expected: nothing is, so it reports each alert that fires.
 */
async function firedBy(series: readonly Series[]): Promise<string[]> {
  const file = join(folder, `${randomUUID()}.yaml`);
  const alertTests = rules.map(({ alert }) => ({
    ...{ eval_time: `${minutes}m`, alertname: alert, exp_alerts: [] },
  }));
  const text = { interval: '1m', input_series: series, alert_rule_test: alertTests };
  // JSON is YAML.
  await writeFile(file, JSON.stringify({ rule_files: [alertsFile], tests: [text] }));
  const report = await callPromtool('test', 'rules', file).catch((error: Error) => error.message);
  const fired = [...report.matchAll(/alertname: ?(\w+), time/g)].map(([, alert = '']) => alert);
  if (fired.length === 0 && !report.includes('SUCCESS')) throw new Error(report);
  return fired.toSorted();
}

/** What Prometheus would have scraped: most of the time the first samples, then a steady way to the second. */
function seriesOf(
  before: readonly Sample[],
  after: readonly Sample[] | null,
  { ofProcess = '' } = {},
): Series[] {
  const rise = 20;
  const steady = minutes - rise;
  // A process that does not answer has no samples: Prometheus has `up` alone.
  const up = `${after === null ? 0 : 1}x${minutes}`;
  const started = new Map(before.map(({ text, value }) => [text, value]));
  // What the library measures of the process depends on this machine.
  const own = (after ?? []).filter(
    ({ name }) => name === ofProcess || !/^(nodejs|process)_/.test(name),
  );
  const series = own.map(({ name, text, value }): Series => {
    const isCounter = /_(total|count|sum|bucket)$/.test(name);
    const first = started.get(text) ?? 0;
    const labels = text.includes('{')
      ? text.replace('{', '{job="lipsync",instance="a:4000",')
      : `${text}{job="lipsync",instance="a:4000"}`;
    return {
      series: labels,
      values: isCounter
        ? `${first}x${steady} ${first}+${(value - first) / rise}x${rise}`
        : `${value}x${minutes}`,
    };
  });
  return [{ series: 'up{job="lipsync",instance="a:4000"}', values: up }, ...series];
}

/** How the statements of the database are disturbed. */
type Disturbance = 'none' | 'away' | 'slow';

/** Longer than the bucket that the alerts about slowness begin with. */
const slowStatementMs = 2_600;

type FaultOptions = {
  /** Of the program. */
  env?: Record<string, string>;
  maxJobs?: number;
  /** Runs before the first samples are read. */
  prepare?: (app: App) => Promise<unknown>;
  /** Uses this metric that the library measures of the process. */
  ofProcess?: string;
};

type Fault = (app: App, disturb: (how: Disturbance) => void) => Promise<unknown>;

/** Runs a fault in the program, and asks which alerts its metrics fire. */
async function alertsOf(fault: Fault, options: FaultOptions = {}): Promise<string[]> {
  let disturbance: Disturbance = 'none';
  const app = await startLipsyncApp({
    intervals: shortIntervals,
    importWaits: { retryMs: 10 },
    env: { POLL_INTERVAL_MS: '1000', OUTBOUND_ALLOWED_NETWORKS: '127.0.0.1', ...options.env },
    sandbox: { accounts: [{ email, maxJobs: options.maxJobs ?? 3 }] },
    wrapDatabase: (db) => {
      const query = db.query.bind(db);
      const disturbed: typeof query = async (text, params) => {
        if (disturbance === 'away') throw new TemporarilyUnavailableError(null);
        if (disturbance === 'slow') await wait(slowStatementMs);
        return query(text, params);
      };
      return Object.assign(db, { query: disturbed });
    },
  });
  try {
    await options.prepare?.(app);
    const before = await scrape(app.url);
    await fault(app, (how) => {
      disturbance = how;
    });
    const after = await scrape(app.url).catch(() => null);
    return await firedBy(seriesOf(before, after, options));
  } finally {
    disturbance = 'none';
    await app.stop();
  }
}

const email = 'studio@sandbox.example';
type App = Awaited<ReturnType<typeof startLipsyncApp>>;
const createAll = async (app: App, texts: readonly string[], more: object = {}) => {
  const [videoId = ''] = await app.listVideoIds();
  return app.createAll(
    texts.map((text) => ({ video: { videoId }, speech: { script: { text } }, ...more })),
  );
};
const completeTwelve = async (app: App) => {
  const { results = [] } = await createAll(app, [...'abcdefghijkl']);
  for (const { lipsync } of results) await app.waitForEnd(lipsync?.id ?? '');
};
/** Waits until a counter or gauge of the program has the value that the fault causes. */
async function until(app: App, isReached: (samples: Sample[]) => boolean): Promise<void> {
  for (;;) if (isReached(await scrape(app.url))) return;
}
const isAtLeast =
  (count: number, name: string, labels: Record<string, string>) => (samples: readonly Sample[]) =>
    (sumOf(samples, name, labels) ?? 0) >= count;

describe('an alert fires on its fault', () => {
  test('and not while lip-syncs complete', async () => {
    expect(await alertsOf(completeTwelve)).toEqual([]);
  });

  test('LipsyncAccountPaused and LipsyncAllAccountsPaused, when the only account cannot pay', async () => {
    const fired = await alertsOf(async (app) => void (await createAll(app, ['[[402]]'])));
    expect(fired).toEqual(
      expect.arrayContaining(['LipsyncAccountPaused', 'LipsyncAllAccountsPaused']),
    );
  });

  test('LipsyncOutcomeUnknown, when the answer of a POST is cut off', async () => {
    const fired = await alertsOf(async (app) => void (await createAll(app, ['[[cut-early]]'])));
    expect(fired).toContain('LipsyncOutcomeUnknown');
  });

  test('LipsyncQueueStuck, when a lip-sync waits and no account takes one', async () => {
    const waitBehind = async (app: App) => {
      await createAll(app, ['Waits.']);
      app.clock.aheadMs = 1_200_000;
    };
    const fired = await alertsOf(async (app) => {
      await app.turn({ account596: email });
      await createAll(app, ['Pauses the account.']);
      await waitBehind(app);
    });
    expect(fired).toContain('LipsyncQueueStuck');
    // Submissions of the last ten minutes are no reason to wake an operator.
    const busy = await alertsOf(async (app) => {
      await createAll(app, ['[[never]] a', '[[never]] b', '[[never]] c']);
      await waitBehind(app);
    });
    expect(busy).not.toContain('LipsyncQueueStuck');
  });

  test('LipsyncDatabaseDown and LipsyncServerErrors, when the database does not answer', async () => {
    const fired = await alertsOf(async (app, disturb) => {
      disturb('away');
      for (let at = 0; at < 20; at += 1) await app.ask('{ lipsyncs(first: 1) { nodes { id } } }');
    });
    expect(fired).toEqual(expect.arrayContaining(['LipsyncDatabaseDown', 'LipsyncServerErrors']));
  });

  test('GraphqlSlow and LipsyncSlowFirstEvent, when the database is slow', async () => {
    const fired = await alertsOf(async (app, disturb) => {
      const { results = [] } = await createAll(app, ['[[never]] Watched.']);
      const id = results[0]?.lipsync?.id ?? '';
      disturb('slow');
      const stream = app.subscribe(id)[Symbol.asyncIterator]();
      await Promise.all([stream.next(), app.read(id)]);
      disturb('none');
      await stream.return?.();
    });
    expect(fired).toEqual(['GraphqlSlow', 'LipsyncSlowFirstEvent']);
  });

  test('LipsyncDown, when the process is gone', async () => {
    expect(await alertsOf((app) => app.stop())).toEqual(['LipsyncDown']);
  });

  test('LipsyncEventLoopSlow, when something computes for long', async () => {
    const fired = await alertsOf(
      async () => {
        for (let at = 0; at < 5; at += 1) {
          const until = performance.now() + 700;
          while (performance.now() < until);
          await setImmediate();
        }
      },
      { ofProcess: 'nodejs_eventloop_lag_p99_seconds' },
    );
    expect(fired).toContain('LipsyncEventLoopSlow');
  });

  test('WebhooksFail, when receivers do not want the deliveries', async () => {
    const receiver = await openReceiver((response) => void response.writeHead(410).end());
    const fired = await alertsOf(
      async (app) => {
        const texts = Array.from({ length: 30 }, (_, at) => `Webhook ${at}`);
        await createAll(app, texts, { callbackUrl: receiver.url });
        await until(app, isAtLeast(25, 'webhook_deliveries_total', { result: 'failed' }));
      },
      { maxJobs: 8 },
    );
    receiver.close();
    expect(fired).toEqual(['WebhooksFail']);
  });

  test('ImportsFail, when files are not where their URLs say', async () => {
    const files = await openFileServer({});
    const fired = await alertsOf(async (app) => {
      const { importUpload } = importOperations(app);
      for (let at = 0; at < 15; at += 1) await importUpload({ url: files.url(`/${at}.wav`) });
      await until(app, isAtLeast(15, 'imports_total', { result: 'failed' }));
    });
    files.close();
    expect(fired).toEqual(['ImportsFail']);
  });

  test('LipsyncNoCallbacks, when lip-syncs complete without one', async () => {
    const fired = await alertsOf(async (app) => {
      await app.turn({ callbacks: 'none' });
      await completeTwelve(app);
    });
    expect(fired).toEqual(['LipsyncNoCallbacks']);
  });

  test('LipsyncForgedCallbacks, when callbacks have invalid tokens', async () => {
    const fired = await alertsOf(async (app) => {
      const forge = () => fetch(`${app.url}/callbacks/forged`, { method: 'POST', body: '{}' });
      await Promise.all(Array.from({ length: 200 }, forge));
    });
    expect(fired).toEqual(['LipsyncForgedCallbacks']);
  });

  test('UpstreamFailures and LipsyncPollsFail, when the video service answers 503', async () => {
    const failed = { result: 'failed' };
    const fired = await alertsOf(
      (app) => until(app, isAtLeast(12, 'lipsync_polls_total', failed)),
      {
        async prepare(app) {
          await createAll(app, ['[[never]] Polled.']);
          await app.turn({ burst5xx: 1_000_000 });
          await until(app, isAtLeast(1, 'lipsync_polls_total', failed));
        },
      },
    );
    expect(fired).toEqual(['LipsyncPollsFail', 'UpstreamFailures']);
  });

  test('LipsyncSubmissionsRejected and LipsyncFailures, when jobs are rejected and fail', async () => {
    const fired = await alertsOf(async (app) => {
      await createAll(app, ['[[400]]', '[[400]] again']);
      const { results = [] } = await createAll(app, ['[[failed]]']);
      for (const { lipsync } of results) await app.waitForEnd(lipsync?.id ?? '');
    });
    expect(fired).toEqual(['LipsyncFailures', 'LipsyncSubmissionsRejected']);
  });

  test('GraphqlErrors, when operations are answered with errors', async () => {
    const fired = await alertsOf(async (app) => {
      for (let at = 0; at < 5; at += 1) await app.ask('{ lipsyncs(first: 1000) { nodes { id } } }');
    });
    expect(fired).toEqual(['GraphqlErrors']);
  });
});

/** Of PostgreSQL, which this suite does not have, and of a gigabyte of memory: their metrics are written down here. */
const written: Record<string, Series[]> = {
  LipsyncDatabasePoolFull: [
    { series: 'lipsync_database_waiting{instance="a"}', values: `30x${minutes}` },
  ],
  LipsyncMemoryHigh: [
    { series: 'process_resident_memory_bytes{instance="a"}', values: `950000000x${minutes}` },
  ],
};

describe('an alert fires on the metrics of a fault that these tests do not cause', () => {
  test.each(Object.entries(written))('%s', async (alert, series) => {
    expect(await firedBy(series)).toEqual([alert]);
  });

  test('every alert fires in this file', () => {
    const source = readFileSync('test/deploy/alerts.test.ts', 'utf8');
    expect(rules.map(({ alert }) => alert).filter((alert) => !source.includes(alert))).toEqual([]);
  });
});
