import { lookup } from 'node:dns/promises';
import { runInThisContext } from 'node:vm';
import { GraphQLError, graphqlSync, parse } from 'graphql';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { connectDatabase, type Database } from '../src/database/connect.ts';
import { InvalidInputError } from '../src/errors.ts';
import { createLog, type LogLevel, lineShare, reportSuppressedLines } from '../src/log.ts';
import { schema } from '../src/schema.ts';
import { openApiKeyFile } from '../src/server/auth/api-key-file.ts';
import { silentLog, testStorage } from './support/database.ts';

type Line = { level: string; msg: string; err?: Record<string, unknown>; [name: string]: unknown };

/** A log in memory, with a timer that fires when the test says so. */
function openLog(level: LogLevel = 'trace') {
  const lines: Line[] = [];
  const waiting: (() => void)[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line) as Line);
  const log = createLog(level, { write }, { timer: (callback) => void waiting.push(callback) });
  const endMinute = () => {
    for (const callback of waiting.splice(0)) callback();
  };
  return { log, lines, endMinute };
}

const marker = 'marker-7f3a';

async function thrownBy(run: () => unknown): Promise<unknown> {
  try {
    await run();
  } catch (thrown) {
    return thrown;
  }
  throw new Error('Nothing was thrown.');
}

async function withDatabase(use: (db: Database) => Promise<void>): Promise<void> {
  const storage = await testStorage();
  const db = await connectDatabase(storage);
  try {
    await use(db);
  } finally {
    await db.close();
    await storage.remove();
  }
}

function logged(err: unknown): Line {
  const { log, lines } = openLog();
  log.error({ err }, 'it failed');
  expect(lines).toHaveLength(1);
  return lines[0] as Line;
}

/** The first error that GraphQL itself reports for the document. */
function graphqlError(source: string, variableValues: Record<string, unknown> = {}) {
  const [error] = graphqlSync({ schema, source, variableValues }).errors ?? [];
  return error;
}

describe('works', () => {
  test("logs the type, the position and the frames of an error, and the message of this server's own errors", async () => {
    const parts = { path: '/missing', parse: () => [], now: () => new Date(), log: silentLog };
    const { err } = logged(await thrownBy(() => openApiKeyFile(parts)));
    expect(err).toMatchObject({
      type: 'Error',
      message: 'API_KEYS_FILE must be the path of a readable file',
      stack: expect.stringMatching(/^at .*api-key-file\.ts:\d+/),
    });
  });

  test('logs the line and column of a GraphQL error', () => {
    expect(logged(graphqlError(`{ lipsync(id: "${marker}" }`)).err).toMatchObject({
      type: 'GraphQLError',
      locations: [{ line: 1, column: 29 }],
    });
  });

  test('logs the causes of an error', () => {
    const system = Object.assign(new Error(marker), { code: 'ECONNREFUSED', syscall: 'connect' });
    const { err } = logged(new AggregateError([system], marker, { cause: system }));
    const described = { type: 'Error', code: 'ECONNREFUSED', syscall: 'connect' };
    expect(err).toMatchObject({ type: 'AggregateError', cause: described, errors: [described] });
  });

  test('logs the message of a database error that names only our own columns', async () => {
    await withDatabase(async (db) => {
      const { err } = logged(await thrownBy(() => db.query('select missing from pg_class')));
      expect(err).toMatchObject({ code: '42703', message: 'column "missing" does not exist' });
    });
  });

  test('logs a failure of the product by its code', () => {
    const failure = new InvalidInputError([{ path: ['text'], message: marker, code: 'INVALID' }]);
    expect(logged(failure).err).toEqual({ type: 'InvalidInputError', code: 'INVALID_INPUT' });
  });

  test('counts the suppressed lines of each message, and starts again with each minute', () => {
    const { log, lines, endMinute } = openLog();
    for (let n = 0; n < 100; n += 1) log.error({ n }, 'broken');
    log.error('other');
    expect(lines.filter(({ msg }) => msg === 'broken')).toHaveLength(60);
    expect(lines.at(-1)).toMatchObject({ msg: 'other' });
    endMinute();
    expect(lines.slice(61)).toMatchObject([
      { level: 'error', msg: 'log lines were suppressed', suppressed: 40, of: 'broken' },
    ]);
    log.error('broken');
    expect(lines.at(-1)).toMatchObject({ msg: 'broken' });
    endMinute();
    expect(lines).toHaveLength(63);
  });

  test('allows more lines of requests than of problems', () => {
    const { log, lines, endMinute } = openLog();
    for (let n = 0; n < 5_000; n += 1) log.info({ n }, 'request');
    endMinute();
    expect(lines).toHaveLength(1_201);
    expect(lines.at(-1)).toMatchObject({ level: 'info', suppressed: 3_800, of: 'request' });
  });

  // One caller's requests, or its failing webhooks, once hid those of every other caller.
  test('one share of a message does not hide the lines of the others', () => {
    const { log, lines, endMinute } = openLog();
    const warn = (owner: string) => log.warn({ [lineShare]: owner }, 'a webhook failed');
    for (let n = 0; n < 1_000; n += 1) warn('ann');
    warn('bob');
    log.warn('a webhook failed');
    expect(lines).toHaveLength(62);
    for (const owner of Array(1_000).keys()) warn(`owner ${owner}`);
    expect(lines).toHaveLength(120);
    expect(JSON.stringify(lines)).not.toMatch(/ann|bob|owner/);
    endMinute();
    expect(lines.at(-1)).toMatchObject({ suppressed: 1_882, of: 'a webhook failed' });
  });

  test('reports what was suppressed when the process stops, once', () => {
    const { log, lines, endMinute } = openLog();
    for (let n = 0; n < 100; n += 1) log.error('broken');
    reportSuppressedLines(log);
    endMinute();
    const reports = lines.filter(({ msg }) => msg === 'log lines were suppressed');
    expect(reports).toMatchObject([{ suppressed: 40, of: 'broken' }]);
  });

  test('counts levels of one message separately', () => {
    const { log, lines } = openLog();
    for (let n = 0; n < 100; n += 1) log.debug('broken');
    log.error('broken');
    expect(lines.at(-1)?.level).toBe('error');
  });
});

describe('keeps out', () => {
  const query =
    'mutation ($i: ReconnectAccountInput!) { reconnectAccount(input: $i) { __typename } }';
  const cases: [title: string, run: () => unknown][] = [
    ['the document around a syntax error', () => parse(`{ a(b: "${marker}") `)],
    ['the document around an unknown field', () => throwError(`{ ${marker.replace('-', '_')} }`)],
    [
      'the value of a variable',
      () => throwError(query, { i: { accountId: 'x', password: { it: marker } } }),
    ],
    ['a text that is not JSON', () => JSON.parse(`${marker} {`)],
    ['a property name in a TypeError', () => readFrom(undefined)],
    ['a value that zod rejects', () => z.strictObject({}).parse({ [marker]: marker })],
    ['the host of an address', () => lookup(`${marker}.invalid`)],
    ['a message of a library', () => throwInLibrary(`cannot read ${marker}`)],
    ['a failure that was wrapped in an error', () => throwWith({ thrownValue: marker })],
    [
      'a line of a message that looks like a frame',
      () => throwInLibrary(`a\n    at ${marker} (file:///x.js:1:1)\n    at x (${marker}:1:1)`),
    ],
    [
      'a message that was changed after the error was created',
      () => throwInLibrary(`a\n    at ${marker} (/x.js:1:1)`, { message: 'b' }),
    ],
    ['a cause', () => throwWith({ cause: libraryError(marker) })],
    ['a code that is a text', () => throwWith({ code: `${marker}!` })],
    [
      'the original error of a GraphQL error',
      () => throwWith(new GraphQLError('a', { originalError: libraryError(marker) })),
    ],
    ['a text that was thrown', () => Promise.reject(marker)],
  ];
  /** An error as a library creates it. */
  function libraryError(message: string, fields: object = {}): Error {
    const filename = '/app/node_modules/library/index.js';
    const create = runInThisContext('(message) => new Error(message)', { filename });
    return Object.assign((create as (message: string) => Error)(message), fields);
  }
  function throwInLibrary(message: string, fields: object = {}): never {
    throw libraryError(message, fields);
  }
  function throwWith(fields: object): never {
    throw fields instanceof Error ? fields : libraryError(marker, fields);
  }
  function throwError(source: string, variables: Record<string, unknown> = {}): never {
    throw graphqlError(source, variables);
  }
  function readFrom(value: undefined): unknown {
    return (value as unknown as Record<string, unknown>)[marker];
  }

  test.each(cases)('%s', async (_, run) => {
    expect(JSON.stringify(logged(await thrownBy(run)))).not.toContain(marker);
    const { log, lines } = openLog();
    const thrown = await thrownBy(run);
    if (thrown instanceof Error) log.error(thrown);
    log.error({ err: thrown });
    expect(JSON.stringify(lines)).not.toContain(marker);
  });

  test('values in errors of the database', async () => {
    await withDatabase(async (db) => {
      await db.query('create table one (text text primary key, n int not null check (n > 0))');
      await db.query('insert into one values ($1, 1)', [marker]);
      const failing: [string, unknown[]][] = [
        ['select $1::text::uuid', [marker]],
        ['select $1::text::int', [marker]],
        ['select $1::text::timestamptz', [marker]],
        ['select $1::text::jsonb', [`{${marker}`]],
        ['select to_tsquery($1)', [`${marker} & & (`]],
        ['insert into one values ($1, 1)', [marker]],
        ['insert into one values ($1, 0)', [`${marker}2`]],
        ['insert into one values ($1, null)', [`${marker}3`]],
        [`do $$ begin raise exception '${marker}'; end $$`, []],
        [`select '${marker}' from nothing where '${marker}' = 1`, []],
      ];
      for (const [statement, values] of failing) {
        const line = logged(await thrownBy(() => db.query(statement, values)));
        expect(line.err?.code).toMatch(/^\w{5}$/);
        expect(JSON.stringify(line)).not.toContain(marker);
      }
    });
  });
});
