import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { phrases } from '../../src/sandbox/phrases.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { pageOf } from './pages.ts';

const rows = pageOf('docs/sandbox-phrases.md').rows.filter(([cell]) => cell?.startsWith('`[['));

/** The phrase, and the type that the last column names first. */
const answers = rows.map(([cell = '', , answer = '']): [string, string] => [
  cell.slice(1, -1),
  /^`(\w+)`/.exec(answer)?.[1] ?? '',
]);

/** These pause the account or make it cool down, so each needs an app of its own. */
const stopsAccount = ([phrase]: [string, string]) => /\[\[(401|402|412|596|429)/.test(phrase);

/** Short, because `[[hang]]` never answers. */
const env = { UPSTREAM_TIMEOUT_MS: '4000' };

async function create(app: TestApp, phrase: string): Promise<string | undefined> {
  const { data: found } = await app.ask<{ videos: { nodes: { id: string }[] } }>(
    '{ videos(first: 1, filter: { status: [COMPLETED] }) { ... on VideoConnection { nodes { id } } } }',
  );
  const { data } = await app.ask<{ createLipsync: { __typename: string } }>(
    'mutation ($input: CreateLipsyncInput!) { createLipsync(input: $input) { __typename } }',
    {
      input: {
        video: { id: found?.videos.nodes[0]?.id },
        speech: { text: { text: `Hello ${phrase}` } },
      },
    },
  );
  return data?.createLipsync.__typename;
}

describe('works', () => {
  test('the documented phrases are those of the sandbox', () => {
    const shown = rows.map(([cell, description]) => [cell, description]);
    expect(shown).toEqual(phrases.map(({ name, description }) => [`\`[[${name}]]\``, description]));
  });

  describe('on a healthy account', () => {
    let app: TestApp;
    beforeAll(async () => {
      const accounts = [{ email: 'studio@sandbox.example', maxJobs: 40 }];
      app = await startTestApp({ env, sandbox: { accounts } });
    });
    afterAll(() => app.stop());

    test.each(answers.filter((each) => !stopsAccount(each)))(
      '%s answers %s',
      async (phrase, type) => {
        expect(await create(app, phrase)).toBe(type);
      },
    );
  });

  test.each(answers.filter(stopsAccount))('%s answers %s', async (phrase, type) => {
    await using app = await startTestApp({ env });
    expect(await create(app, phrase)).toBe(type);
  });
});
