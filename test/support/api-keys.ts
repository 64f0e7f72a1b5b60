import { createHash, randomUUID } from 'node:crypto';
import type { Scope } from '../../src/graphql/context.ts';

/** API keys of named callers: the variable that configures them and the header of each caller. */
export function createApiKeys<Name extends string>(scopes: Record<Name, readonly Scope[]>) {
  const names = Object.keys(scopes) as Name[];
  const keys = names.map((name) => ({ name, key: randomUUID(), scopes: scopes[name].join(' ') }));
  const entries = keys.map(
    ({ name, key, scopes: given }) =>
      `${name}:${createHash('sha256').update(key).digest('hex')}:${given}`,
  );
  return {
    env: { API_KEYS: entries.join(','), ALLOW_ANONYMOUS: 'false' },
    headers: Object.fromEntries(
      keys.map(({ name, key }) => [name, { authorization: `Bearer ${key}` }]),
    ) as Record<Name, { authorization: string }>,
  };
}
