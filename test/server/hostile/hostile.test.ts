import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../../support/app.ts';
import type { AnyOperation, TransportResult } from '../../support/transports.ts';
import {
  type Exception,
  everywhere,
  type Kind,
  kinds,
  type Requests,
  type Row,
  type ServerKind,
  type Verdict,
  validDocuments,
  validRequests,
} from './row.ts';
import { rows } from './table.ts';
import { callTool, toolAttacks } from './tool-attacks.ts';
import { attemptEach, type TransportGroup, transportGroups } from './transport-groups.ts';
import { values } from './values.ts';

let folder: string;
const servers = new Map<ServerKind, TestApp>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lipsync-hostile-'));
  const path = join(folder, 'documents.json');
  await writeFile(path, JSON.stringify(validDocuments));
  const envs: Record<ServerKind, Record<string, string>> = {
    open: {},
    closed: { INTROSPECTION: 'false' },
    trusted: { TRUSTED_DOCUMENTS: path },
  };
  for (const [kind, env] of Object.entries(envs)) {
    servers.set(kind as ServerKind, await startTestApp({ env }));
  }
});
afterAll(async () => {
  for (const app of servers.values()) await app.stop();
  await rm(folder, { recursive: true });
});

const plainRow = { name: 'nothing wrong', verdict: 'executed' } as const;

const mutationByGet: Verdict = {
  code: 'BAD_REQUEST',
  message: 'Can only perform a mutation operation from a POST request.',
};

function urlOf(row: Row): string {
  const app = servers.get(row.at ?? 'open');
  if (app === undefined) throw new Error('There is no such server.');
  return app.url;
}

const exceptionOf = (row: Row, group: TransportGroup): Partial<Exception> =>
  row.transports[group] === 'same' ? {} : row.transports[group];

/** The expected verdict of the row for this transport and kind of operation. */
function verdictOf(row: Row, group: TransportGroup, kind: Kind): Verdict | 'executed' {
  if (group === 'GET' && kind === 'mutation' && row.isRejectedUnparsed !== true)
    return mutationByGet;
  return exceptionOf(row, group).verdict ?? row.verdict;
}

function expectVerdict(outcome: TransportResult, verdict: Verdict | 'executed', at: string): void {
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
function expectExecuted({ data, errors = [] }: TransportResult, at: string): void {
  expect(data, `${at} ${JSON.stringify(errors)}`).toBeDefined();
  expect(JSON.stringify(errors), at).not.toContain('INTERNAL_SERVER_ERROR');
}

function requestsOf(requests: Requests): [Kind, AnyOperation][] {
  return kinds.flatMap((kind) => {
    const request = requests[kind];
    return 'cannot' in request ? [] : [[kind, request] as [Kind, AnyOperation]];
  });
}

type Attempt = { group: TransportGroup; kind: Kind; outcome: TransportResult; at: string };

/** The results of every transport for each kind of operation. */
async function* attemptAll(row: Row, which: 'hostile' | 'allowed'): AsyncGenerator<Attempt> {
  for (const group of transportGroups) {
    const { allowed = row.allowed } = exceptionOf(row, group);
    for (const [kind, request] of requestsOf(which === 'hostile' ? row.hostile : allowed)) {
      for (const [transport, outcome] of await attemptEach(urlOf(row), group, request)) {
        yield { group, kind, outcome, at: `${kind} by ${transport}` };
      }
    }
  }
}

describe('refuses', () => {
  test.each(rows)('$name: one verdict on every transport', async (row) => {
    const same = new Map<Kind, TransportResult[]>();
    for await (const { group, kind, outcome, at } of attemptAll(row, 'hostile')) {
      const verdict = verdictOf(row, group, kind);
      expectVerdict(outcome, verdict, at);
      if (verdict === row.verdict && verdict !== 'executed') {
        same.set(kind, [...(same.get(kind) ?? []), outcome]);
      }
    }
    // Equal in every detail, such as message and locations.
    for (const outcomes of same.values()) expect(outcomes).toEqual(outcomes.map(() => outcomes[0]));
  });
});

describe('at /mcp', () => {
  const open = () => servers.get('open')?.url ?? '';
  const codesOf = ({ errors = [] }: TransportResult) =>
    errors.map(({ extensions }) => extensions?.code);
  /** The tool ran. Its answer can be a failure that the schema describes. */
  const ran = (outcome: TransportResult) =>
    [[], ['NOT_FOUND']].some((codes) => isDeepStrictEqual(codesOf(outcome), codes));

  test.each(values)('$name: the same verdict for the arguments of a tool', async ({ name }) => {
    const attack = toolAttacks[name];
    if (attack === undefined) throw new Error('The row has no call of a tool and no reason.');
    if ('cannot' in attack) return expect(attack.cannot).not.toBe('');
    const outcome = await callTool(open(), attack.tool, attack.hostile);
    if (attack.code === null) expect(ran(outcome), JSON.stringify(outcome)).toBe(true);
    else expect(codesOf(outcome)).toEqual([attack.code]);
    const allowed = await callTool(open(), attack.tool, attack.allowed);
    expect(ran(allowed), JSON.stringify(allowed)).toBe(true);
  });
});

describe('works', () => {
  test.each(rows)('$name: the allowed counterpart is executed on every transport', async (row) => {
    for await (const { group, kind, outcome, at } of attemptAll(row, 'allowed')) {
      const isForbidden = group === 'GET' && kind === 'mutation';
      expectVerdict(outcome, isForbidden ? mutationByGet : 'executed', at);
    }
  });
});

describe('keeps out', () => {
  test('defects: the log contains no error', () => {
    const logs = [...servers.values()].flatMap(({ logs }) => logs);
    expect(logs.length).toBeGreaterThan(rows.length);
    expect(logs.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
  });

  test('incomplete rows: they do not compile', () => {
    const { WS: _, ...fewerTransports } = everywhere;
    const row: Row = {
      ...plainRow,
      hostile: validRequests,
      allowed: validRequests,
      transports: everywhere,
    };
    const incomplete: Row[] = [
      // @ts-expect-error without a transport
      { ...row, transports: fewerTransports },
      // @ts-expect-error without a kind and without a reason
      { ...row, hostile: { query: validRequests.query, mutation: validRequests.mutation } },
      // @ts-expect-error without the allowed counterpart
      { ...plainRow, hostile: validRequests, transports: everywhere },
    ];
    expect(incomplete.every((each) => JSON.stringify(each) !== JSON.stringify(row))).toBe(true);
  });

  test('exceptions without a reason', () => {
    const exceptions = rows.flatMap((row) =>
      transportGroups.map((group) => exceptionOf(row, group)),
    );
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
