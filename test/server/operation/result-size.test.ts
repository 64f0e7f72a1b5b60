import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApiKeys } from '../../support/api-keys.ts';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { createLipsync, waitForStatus } from '../../support/lipsyncs.ts';
import { execute, transports } from '../../support/transports.ts';

/** Of the maximum length: 1,024 characters, which are 2,048 in UTF-16. */
const reference = '\u{1f600}'.repeat(1_024);

let it: TestApp;
let closed: TestApp;
let id: string;
beforeAll(async () => {
  it = await startTestApp();
  closed = await startTestApp({ env: createApiKeys({ ann: ['lipsync:read'] }).env });
  id = (await createLipsync(it, { reference })).id;
});
afterAll(async () => {
  await it?.stop();
  await closed?.stop();
});

const tooLarge = {
  data: null,
  errors: [
    {
      message:
        'The operation was executed, and its result has more than 5000000 characters. Ask for smaller pages or fewer fields.',
      extensions: { code: 'RESULT_TOO_LARGE' },
    },
  ],
};

/** The reference on each of a list of nodes, under this many aliases. */
const references = (nodes: number, aliases: number) => {
  const fields = Array.from({ length: aliases }, (_, n) => `a${n}: reference`).join(' ');
  return {
    query: `query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Lipsync { ${fields} } } }`,
    variables: { ids: Array.from({ length: nodes }, () => id) },
  };
};

const longAlias = 'a'.repeat(60_000);

describe('works', () => {
  test.each(transports)('a hundred references of the maximum length, over %s', async (name) => {
    const { data } = await execute(name, { url: it.url, operation: references(100, 1) });
    expect(data?.nodes).toEqual(Array.from({ length: 100 }, () => ({ a0: reference })));
  });
});

describe('refuses', () => {
  // The cost counts objects: a thousand of these made a response of 184 MB.
  test.each(transports)('many aliases of a long text, over %s', async (name) => {
    const operation = references(100, 30);
    expect(await execute(name, { url: it.url, operation })).toMatchObject(tooLarge);
  });

  test('a long alias on many items', async () => {
    const { variables } = references(100, 1);
    const query = `query ($ids: [ID!]!) { nodes(ids: $ids) { ${longAlias}: id } }`;
    expect(await it.ask(query, variables)).toMatchObject({ ...tooLarge, status: 200 });
  });

  // A request of 120 kB without a token was answered with 66 MB.
  test('many errors whose path has a long alias, for a client that has not signed in', async () => {
    const query = `query ($of: [_Any!]!) { ${longAlias}: _entities(representations: $of) { __typename } }`;
    const of = Array.from({ length: 1_000 }, () => ({ __typename: 'Lipsync', id: 'a' }));
    expect(await closed.ask(query, { of })).toMatchObject(tooLarge);
  });

  test('an event of a subscription', async () => {
    await waitForStatus(it, id, 'COMPLETED');
    const events = Array.from({ length: 29 }, (_, n) => `a${n}: events { nodes { ...E } }`);
    const query = `subscription ($id: ID!) { lipsyncProgress(id: $id) { ... on LipsyncProgress { lipsync { ${events.join(' ')} } } } }
      fragment E on LipsyncEvent { ${longAlias}: status }`;
    expect(await Array.fromAsync(it.watchWs(query, { id }))).toMatchObject([tooLarge]);
    const overSse = await Array.fromAsync(it.watchSse(query, { id }));
    expect(overSse).toMatchObject([{ data: tooLarge }]);
  });
});
