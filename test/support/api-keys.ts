import { createHash, randomUUID } from 'node:crypto';
import type { Scope } from '../../src/graphql/context.ts';

/** Callers by name, each with a key of its own: the variable that lets them in, and the header that each sends. */
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
