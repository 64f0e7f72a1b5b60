import { parse } from 'graphql';
import { describe, expect, test } from 'vitest';
import { printSdl } from '../../src/schema.ts';
import { pageOf } from './pages.ts';

describe('docs/federation.md', () => {
  test('says for every type with a common name what happens if another subgraph has that name', async () => {
    const roots = ['Query', 'Mutation', 'Subscription'];
    const names = parse(await printSdl()).definitions.flatMap((definition) =>
      /^(Object|Interface|Union|Enum|InputObject|Scalar)TypeDefinition$/.test(definition.kind) &&
      'name' in definition
        ? (definition.name?.value ?? [])
        : [],
    );
    const common = names.filter((name) => !name.includes('Lipsync') && !roots.includes(name));
    const shown = pageOf('docs/federation.md').rows.flatMap(([cell = '', ...rest]) =>
      rest.length === 2 ? [...cell.matchAll(/`([A-Z]\w*)`/g)].map(([, name]) => name) : [],
    );
    expect(shown.toSorted()).toEqual(common.toSorted());
  });
});
