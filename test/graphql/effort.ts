import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';
import { vi } from 'vitest';
import type { Database, Sql } from '../../src/database/connect.ts';
import type { TestApp } from '../support/app.ts';

export type Effort = { statements: string[]; calls: string[] };

type Started = { request: IncomingMessage };
type Called = { request: { method: string; path: string } };

/**
 * Every statement and every call upstream that is made on behalf of the GraphQL requests of `work`, wherever in the
 * program. What happens beside them, such as polls, the clock and other requests, is not theirs.
 */
export async function measureEffort(
  { app: { db } }: TestApp,
  work: () => Promise<unknown>,
): Promise<Effort> {
  const effort: Effort = { statements: [], calls: [] };
  const own = new AsyncLocalStorage<true>();
  const begin = (message: unknown) => {
    if ((message as Started).request.url === '/graphql') own.enterWith(true);
  };
  const call = (message: unknown) => {
    const { method, path } = (message as Called).request;
    if (own.getStore() === true) effort.calls.push(`${method} ${path}`);
  };
  const counted =
    (query: Sql['query']): Sql['query'] =>
    (text, params) => {
      if (own.getStore() === true) effort.statements.push(text);
      return query(text, params);
    };
  const { query, transaction } = db;
  const spies = [
    vi.spyOn(db, 'query').mockImplementation(counted(query.bind(db))),
    vi
      .spyOn(db, 'transaction')
      .mockImplementation(((inside: Parameters<Database['transaction']>[0]) =>
        transaction.call(db, (tx) =>
          inside({ ...tx, query: counted(tx.query.bind(tx)) }),
        )) as Database['transaction']),
  ];
  subscribe('http.server.request.start', begin);
  subscribe('undici:request:create', call);
  try {
    await work();
    return effort;
  } finally {
    unsubscribe('http.server.request.start', begin);
    unsubscribe('undici:request:create', call);
    for (const spy of spies) spy.mockRestore();
  }
}
