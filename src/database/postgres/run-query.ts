import type { ClientBase } from 'pg';
import { TemporarilyUnavailableError } from '../../unavailable.ts';
import { isPlanOutdated, isStatementRejected } from '../failures.ts';
import type { QueryOptions, Row } from '../sql.ts';
import { encodeParam } from '../values.ts';
import { StatementNames } from './statement-names.ts';

// For a server that does not respond. Longer than the statement timeout, so that the server's own error arrives first.
export const answerTimeoutMs = 40_000;

/**
 * A statement that the server rejected keeps its error. Any other error concerns the connection: it failed to open, was
 * lost, or timed out.
 */
export async function reportOutage<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw isStatementRejected(error) ? error : new TemporarilyUnavailableError(error);
  }
}

type Target = QueryOptions & { client: ClientBase; timeoutMs?: number | undefined };

export async function runQuery<R extends Row>(
  { client, timeoutMs = answerTimeoutMs, isPrepared = false }: Target,
  text: string,
  params: readonly unknown[] = [],
): Promise<R[]> {
  if (isPrepared) return await runPrepared(client, text, params);
  if (params.length === 0) {
    // The types declare neither the timeout nor the list of results that several statements return.
    const query = { text, query_timeout: timeoutMs };
    const results: unknown = await reportOutage(client.query<R>(query));
    return [results].flat().flatMap((result) => (result as { rows: R[] }).rows);
  }
  const values = params.map(encodeParam);
  return (await reportOutage(client.query<R>(text, values))).rows;
}

const statementNames = new StatementNames();

async function runPrepared<R extends Row>(
  client: ClientBase,
  text: string,
  params: readonly unknown[],
): Promise<R[]> {
  const query = { name: statementNames.nameOf(text), text, values: params.map(encodeParam) };
  try {
    return (await reportOutage(client.query<R>(query))).rows;
  } catch (error) {
    if (isPlanOutdated(error)) statementNames.renew();
    throw error;
  }
}
