import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { type Door, doors, type Outcome, openDoors, type Request } from './doors.ts';
import {
  type Exception,
  everywhere,
  fine,
  type Kind,
  kinds,
  type Place,
  plain,
  type Requests,
  type Row,
  type Verdict,
} from './row.ts';
import { rows } from './table.ts';

type Server = { app: TestApp; doors: ReturnType<typeof openDoors> };
let folder: string;
const servers = new Map<Place, Server>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lipsync-hostile-'));
  const path = join(folder, 'documents.json');
  await writeFile(path, JSON.stringify(plain));
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

const plainRow = { name: 'nothing wrong', verdict: 'executed' } as const;

const mutationByGet: Verdict = {
  code: 'BAD_REQUEST',
  message: 'Can only perform a mutation operation from a POST request.',
};

function ask(row: Row, door: Door, request: Request): Promise<[form: string, Outcome][]> {
  const server = servers.get(row.at ?? 'open');
  if (server === undefined) throw new Error('There is no such server.');
  return server.doors.ask(door, request);
}

const exceptionOf = (row: Row, door: Door): Partial<Exception> =>
  row.doors[door] === 'same' ? {} : row.doors[door];

/** The expected verdict of the row for this transport and kind of operation. */
function verdictOf(row: Row, door: Door, kind: Kind): Verdict | 'executed' {
  if (door === 'GET' && kind === 'mutation' && row.isRefusedUnparsed !== true) return mutationByGet;
  return exceptionOf(row, door).verdict ?? row.verdict;
}

function expectVerdict(outcome: Outcome, verdict: Verdict | 'executed', at: string): void {
  if (verdict === 'executed') {
    expectExecuted(outcome, at);
    return;
  }
  if (verdict.closeCode !== undefined) {
    expect(outcome, at).toEqual({ closeCode: verdict.closeCode });
    return;
  }
  expect(outcome, at).not.toHaveProperty('isErrorInNext');
  const [error] = outcome.errors ?? [];
  const { message } = verdict;
  expect(outcome, at).not.toHaveProperty('data');
  expect(error?.extensions?.code, at).toBe(verdict.code);
  expect(error?.message, at).toEqual(
    typeof message === 'string' ? message : expect.stringMatching(message),
  );
}

/** A request error has no data, and a defect is masked. */
function expectExecuted({ data, errors = [] }: Outcome, at: string): void {
  expect(data, `${at} ${JSON.stringify(errors)}`).toBeDefined();
  expect(JSON.stringify(errors), at).not.toContain('INTERNAL_SERVER_ERROR');
}

function requestsOf(requests: Requests): [Kind, Request][] {
  return kinds.flatMap((kind) => {
    const request = requests[kind];
    return 'cannot' in request ? [] : [[kind, request] as [Kind, Request]];
  });
}

type Said = { door: Door; kind: Kind; outcome: Outcome; at: string };

/** The results of every transport for each kind of operation. */
async function* knock(row: Row, which: 'hostile' | 'allowed'): AsyncGenerator<Said> {
  for (const door of doors) {
    const { allowed = row.allowed } = exceptionOf(row, door);
    for (const [kind, request] of requestsOf(which === 'hostile' ? row.hostile : allowed)) {
      for (const [form, outcome] of await ask(row, door, request)) {
        yield { door, kind, outcome, at: `${kind} by ${form}` };
      }
    }
  }
}

describe('refuses', () => {
  test.each(rows)('$name: one verdict on every transport', async (row) => {
    const same = new Map<Kind, Outcome[]>();
    for await (const { door, kind, outcome, at } of knock(row, 'hostile')) {
      const verdict = verdictOf(row, door, kind);
      expectVerdict(outcome, verdict, at);
      if (verdict === row.verdict && verdict !== 'executed') {
        same.set(kind, [...(same.get(kind) ?? []), outcome]);
      }
    }
    // Equal in every detail, such as message and locations.
    for (const said of same.values()) expect(said).toEqual(said.map(() => said[0]));
  });
});

describe('works', () => {
  test.each(rows)('$name: the allowed counterpart is executed on every transport', async (row) => {
    for await (const { door, kind, outcome, at } of knock(row, 'allowed')) {
      const isForbidden = door === 'GET' && kind === 'mutation';
      expectVerdict(outcome, isForbidden ? mutationByGet : 'executed', at);
    }
  });
});

describe('keeps out', () => {
  test('defects: the log contains no error', () => {
    const logs = [...servers.values()].flatMap(({ app }) => app.logs);
    expect(logs.length).toBeGreaterThan(rows.length);
    expect(logs.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
  });

  test('incomplete rows: they do not compile', () => {
    const { WS: _, ...fewerDoors } = everywhere;
    const row: Row = { ...plainRow, hostile: fine, allowed: fine, doors: everywhere };
    const incomplete: Row[] = [
      // @ts-expect-error without a transport
      { ...row, doors: fewerDoors },
      // @ts-expect-error without a kind and without a reason
      { ...row, hostile: { query: fine.query, mutation: fine.mutation } },
      // @ts-expect-error without the allowed counterpart
      { ...plainRow, hostile: fine, doors: everywhere },
    ];
    expect(incomplete.every((each) => JSON.stringify(each) !== JSON.stringify(row))).toBe(true);
  });

  test('exceptions without a reason', () => {
    const exceptions = rows.flatMap((row) => doors.map((door) => exceptionOf(row, door)));
    expect(exceptions.filter(({ why }) => why === '')).toEqual([]);
    const cannot = rows.flatMap(({ hostile, allowed }) =>
      [...Object.values(hostile), ...Object.values(allowed)].filter((each) => 'cannot' in each),
    );
    expect(cannot.filter((each) => 'cannot' in each && each.cannot === '')).toEqual([]);
  });

  test('gaps: at least forty attacks cover all kinds of operations, and each has an allowed counterpart for each kind', () => {
    const isWhole = ({ hostile }: Row) => requestsOf(hostile).length === kinds.length;
    expect(rows.filter(isWhole).length).toBeGreaterThanOrEqual(40);
    const kindsOf = (requests: Requests) => requestsOf(requests).map(([kind]) => kind);
    for (const { name, hostile, allowed } of rows) {
      expect(kindsOf(hostile), name).not.toEqual([]);
      expect(kindsOf(allowed), name).toEqual(expect.arrayContaining(kindsOf(hostile)));
    }
  });
});
