import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';
import { vi } from 'vitest';
import type { Database, Sql } from '../../src/database/connect.ts';
import type { TestApp } from '../support/app.ts';

export type RequestCosts = { statements: string[]; calls: string[] };

type Started = { request: IncomingMessage };
type Called = { request: { method: string; path: string } };

/**
 * Records every SQL statement and upstream call that the GraphQL requests in `work` cause anywhere in the program. Polls,
 * timers and other requests are not recorded.
 */
export async function measureRequests(
  { app: { db } }: TestApp,
  work: () => Promise<unknown>,
): Promise<RequestCosts> {
  const costs: RequestCosts = { statements: [], calls: [] };
  const isMeasured = new AsyncLocalStorage<true>();
  const begin = (message: unknown) => {
    if ((message as Started).request.url === '/graphql') isMeasured.enterWith(true);
  };
  const call = (message: unknown) => {
    const { method, path } = (message as Called).request;
    if (isMeasured.getStore() === true) costs.calls.push(`${method} ${path}`);
  };
  const counted =
    (query: Sql['query']): Sql['query'] =>
    (text, params) => {
      if (isMeasured.getStore() === true) costs.statements.push(text);
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
    return costs;
  } finally {
    unsubscribe('http.server.request.start', begin);
    unsubscribe('undici:request:create', call);
    for (const spy of spies) spy.mockRestore();
  }
}
