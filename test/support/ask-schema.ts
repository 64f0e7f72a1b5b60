import { initContextCache } from '@pothos/core';
import { type GraphQLSchema, graphql } from 'graphql';
import type { Context, Scope, Services } from '../../src/graphql/context.ts';
import type { Log } from '../../src/log.ts';
import { silentLog } from './database.ts';

export type AskOptions = {
  /** `nobody` is not authenticated. */
  owner?: string;
  scopes?: readonly string[];
  variables?: Record<string, unknown>;
};

/** Executes an operation on a schema without a server, with only the services that it needs. */
export async function askSchema<Answer>(
  { schema, services, log = silentLog }: { schema: GraphQLSchema; services: object; log?: Log },
  source: string,
  { owner = 'key:ann', scopes = ['lipsync:read', 'lipsync:write'], variables = {} }: AskOptions,
): Promise<Answer> {
  const contextValue: Context = {
    ...initContextCache(),
    caller: {
      owner,
      name: owner,
      isAuthenticated: owner !== 'nobody',
      scopes: new Set(scopes as readonly Scope[]),
      expiresAt: null,
      tokenId: null,
    },
    services: services as Services,
    requestId: 'test',
    trace: null,
    signal: new AbortController().signal,
    log,
    lastEventId: null,
  };
  const result = await graphql({ schema, source, variableValues: variables, contextValue });
  // graphql-js creates objects without a prototype, which toEqual would report as different.
  return JSON.parse(JSON.stringify(result)) as Answer;
}
