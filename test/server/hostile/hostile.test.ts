import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { type Door, doors, type Outcome, openDoors, type Request } from './doors.ts';
import { type Exception, type Place, type Row, trustedDocuments, type Verdict } from './row.ts';
import { rows } from './table.ts';

const kinds = ['query', 'mutation', 'subscription'] as const;
type Kind = (typeof kinds)[number];

type Server = { app: TestApp; doors: ReturnType<typeof openDoors> };
let folder: string;
const servers = new Map<Place, Server>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lipsync-hostile-'));
  const path = join(folder, 'documents.json');
  await writeFile(path, JSON.stringify(trustedDocuments));
  const envs: Record<Place, Record<string, string>> = {
    open: {},
    closed: { INTROSPECTION: 'false' },
    trusted: { TRUSTED_DOCUMENTS: path },
  };
  for (const [place, env] of Object.entries(envs)) {
    const app = await startTestApp({ env });
    servers.set(place as Place, { app, doors: openDoors(app.url) });
  }
});
afterAll(async () => {
  for (const { app, doors: open } of servers.values()) {
    await open.close();
    await app.stop();
  }
  await rm(folder, { recursive: true });
});

const mutationByGet: Verdict = {
  code: 'BAD_REQUEST',
  message: 'Can only perform a mutation operation from a POST request.',
};

function ask(row: Row, door: Door, request: Request): Promise<Outcome> {
  const server = servers.get(row.at ?? 'open');
  if (server === undefined) throw new Error('There is no such server.');
  return server.doors.ask(door, request);
}

const exceptionOf = (row: Row, door: Door): Partial<Exception> =>
  row.doors[door] === 'same' ? {} : row.doors[door];

/** What this door says to the row as this kind of operation. */
function verdictOf(row: Row, door: Door, kind: Kind): Verdict | 'executed' {
  if (door === 'GET' && kind === 'mutation' && row.isRefusedUnparsed !== true) return mutationByGet;
  return exceptionOf(row, door).verdict ?? row.verdict;
}

function expectVerdict(outcome: Outcome, verdict: Verdict | 'executed', at: string): void {
  if (verdict === 'executed') {
    expectExecuted(outcome, at);
    return;
  }
  if (verdict.closed !== undefined) {
    expect(outcome, at).toEqual({ closed: verdict.closed });
    return;
  }
  const [error] = outcome.errors ?? [];
  const { message } = verdict;
  expect(outcome, at).not.toHaveProperty('data');
  expect(error?.extensions?.code, at).toBe(verdict.code);
  expect(error?.message, at).toEqual(
    typeof message === 'string' ? message : expect.stringMatching(message),
  );
}

/** Whatever came of it: a refusal has no data, and a defect is masked. */
function expectExecuted({ data, errors = [] }: Outcome, at: string): void {
  expect(data, `${at} ${JSON.stringify(errors)}`).toBeDefined();
  expect(JSON.stringify(errors), at).not.toContain('INTERNAL_SERVER_ERROR');
}

function requestsOf(row: Row, which: 'hostile' | 'allowed'): [Kind, Request][] {
  return kinds.flatMap((kind) => {
    const request = row[which][kind];
    return request === undefined ? [] : [[kind, request] as [Kind, Request]];
  });
}

describe('refuses', () => {
  test.each(rows)('$name: one verdict on every door', async (row) => {
    for (const [kind, request] of requestsOf(row, 'hostile')) {
      const said: Outcome[] = [];
      for (const door of doors) {
        const outcome = await ask(row, door, request);
        const verdict = verdictOf(row, door, kind);
        expectVerdict(outcome, verdict, `${kind} by ${door}`);
        if (verdict === row.verdict && verdict !== 'executed') said.push(outcome);
      }
      // To the last word, the places in the document, and whatever else is told.
      expect(said).toEqual(said.map(() => said[0]));
    }
  });
});

describe('works', () => {
  test.each(rows)('$name: what stays below it is executed on every door', async (row) => {
    for (const [kind, request] of requestsOf(row, 'allowed')) {
      for (const door of doors) {
        const outcome = await ask(row, door, exceptionOf(row, door).allowed ?? request);
        const isForbidden = door === 'GET' && kind === 'mutation';
        expectVerdict(outcome, isForbidden ? mutationByGet : 'executed', `${kind} by ${door}`);
      }
    }
  });
});

describe('keeps out', () => {
  test('defects: nothing of all this was met by anything but a refusal', () => {
    const logs = [...servers.values()].flatMap(({ app }) => app.logs);
    expect(logs.length).toBeGreaterThan(rows.length);
    expect(logs.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
  });

  test('exceptions without a reason', () => {
    const exceptions = rows.flatMap((row) => doors.map((door) => exceptionOf(row, door)));
    expect(exceptions.filter(({ why }) => why === '')).toEqual([]);
    expect(rows.length).toBeGreaterThanOrEqual(40);
  });
});
