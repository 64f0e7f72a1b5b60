import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openWithFakeUpstream, openWithSandbox } from '../accounts/slice-harness.ts';

let real: Awaited<ReturnType<typeof openWithSandbox>>;
let odd: Awaited<ReturnType<typeof openWithFakeUpstream>>;
beforeAll(async () => {
  [real, odd] = await Promise.all([openWithSandbox(), openWithFakeUpstream()]);
});
afterAll(() => Promise.all([real.close(), odd.close()]));
beforeEach(async () => {
  await odd.begin({ email: 'a@b.example', videos: [] });
  await real.empty();
  await real.forgetRequests();
});

const reader = { scopes: ['lipsync:read'] };
const voicesQuery =
  '{ voices { __typename ... on VoiceList { nodes { id name previewUrl } } ... on LipsyncError { code } } }';

describe('works', () => {
  it('lists the voices, without the line break that the upstream has in the address of voice 3', async () => {
    const world = real;
    const { data, errors } = await world.ask(voicesQuery, reader);
    expect(errors).toBeUndefined();
    const { nodes } = data.voices as unknown as { nodes: Record<string, string>[] };
    expect(nodes).toHaveLength(14);
    expect(nodes[2]).toMatchObject({
      name: 'Isabella',
      previewUrl: expect.stringMatching(/3\.mp3$/),
    });
  });

  it('answers two hundred cold queries at once with one call for the voices and one for the accounts', async () => {
    const world = real;
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => world.ask(voicesQuery, reader)),
    );
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect((await world.requests()).toSorted()).toEqual([
      'GET /accounts',
      expect.stringMatching(/^GET \/videos\/voices\//),
    ]);
  });

  it('names an account where there are several, and none where there is one', async () => {
    const world = odd;
    await world.voices.list();
    expect(world.odd.requests).toEqual(['GET /accounts', 'GET /videos/voices/']);
    world.odd.accounts.push({ email: 'c@d.example', videos: [] });
    await world.accounts.refresh();
    world.advance(500);
    await world.voices.list();
    expect(world.odd.requests.at(-1)).toBe('GET /videos/voices/?email=a%40b.example');
  });

  it('finds a voice in the list that it read, and reads again for one that it does not know', async () => {
    const world = odd;
    const count = () => world.odd.requests.filter((call) => call.includes('voices')).length;
    expect(await world.voices.find('1')).toMatchObject({ name: 'Emily' });
    expect(await world.voices.find('99')).toBeNull();
    expect(count()).toBe(1);
    world.advance(60_000);
    expect(await world.voices.find('3')).toMatchObject({ name: 'Isabella' });
    expect(count()).toBe(1);
    expect(await world.voices.find('99')).toBeNull();
    expect(count()).toBe(2);
  });

  it('was not found in any account, as the first was on hold', async () => {
    const world = odd;
    world.odd.accounts.push({ email: 'c@d.example', videos: [] });
    world.odd.refuse = (call) =>
      call.includes('a%40b.example') ? { status: 596, body: { error: 'pending' } } : undefined;
    expect(await world.voices.find('3')).toMatchObject({ name: 'Isabella' });
    world.advance(500);
    world.odd.refuse = (call) =>
      call.includes('voices') ? { status: 596, body: { error: 'pending' } } : undefined;
    const { data } = await world.ask(voicesQuery, reader);
    expect(data).toMatchObject({ voices: { code: 'ACCOUNT_PENDING' } });
  });

  it('is asked for first where nothing is known against the account', async () => {
    const world = odd;
    world.odd.accounts = [
      { email: 'a@b.example', videos: [], error: 'pending' },
      { email: 'c@d.example', videos: [] },
    ];
    await world.voices.list();
    expect(world.odd.requests).toEqual([
      'GET /accounts',
      'GET /videos/voices/?email=c%40d.example',
    ]);
  });

  it('is found by its id in node, voice and _entities', async () => {
    const world = real;
    const { data } = await world.ask(voicesQuery, reader);
    const { nodes } = data.voices as unknown as { nodes: { id: string; name: string }[] };
    const id = nodes[1]?.id;
    const found = await world.ask(
      `query ($id: ID!, $any: [_Any!]!) {
        voice(id: $id) { name } node(id: $id) { ... on Voice { name } }
        _entities(representations: $any) { ... on Voice { name } }
      }`,
      reader,
      {
        id,
        any: [
          { __typename: 'Voice', id },
          { __typename: 'Voice', id: 'rubbish' },
        ],
      },
    );
    expect(found).toEqual({
      data: {
        voice: { name: 'James' },
        node: { name: 'James' },
        _entities: [{ name: 'James' }, null],
      },
    });
  });
});

describe('refuses', () => {
  it('answers a failure of the upstream as a member, also after the voices were read once', async () => {
    const world = odd;
    await world.voices.list();
    world.advance(500);
    world.odd.refuse = () => ({ status: 401, body: { error: 'Unauthorized' } });
    expect(await world.ask(voicesQuery, reader)).toEqual({
      data: { voices: { __typename: 'UpstreamUnauthorizedError', code: 'UPSTREAM_UNAUTHORIZED' } },
    });
  });

  it('answers a failure as null and one error where the field has no union', async () => {
    const world = odd;
    world.odd.refuse = () => ({ status: 401, body: { error: 'Unauthorized' } });
    const { data, errors } = await world.ask(
      `{ voice(id: "${Buffer.from('Voice:1').toString('base64url')}") { name } }`,
      reader,
    );
    expect(data).toEqual({ voice: null });
    expect(errors).toHaveLength(1);
  });

  it.each(['rubbish', '', Buffer.from('Video:1').toString('base64url'), '💥'])(
    'takes the id %j for none',
    async (id) => {
      const world = odd;
      const answer = await world.ask('query ($id: ID!) { voice(id: $id) { name } }', reader, {
        id,
      });
      expect(answer).toEqual({ data: { voice: null } });
    },
  );
});

describe('keeps out', () => {
  it('tells nobody to sign in, and refuses a caller without the scope', async () => {
    const world = odd;
    const nobody = await world.ask(voicesQuery, { isNobody: true });
    expect(nobody.data).toEqual({
      voices: { __typename: 'NotAuthenticatedError', code: 'NOT_AUTHENTICATED' },
    });
    const other = await world.ask('{ voices { ... on LipsyncError { code } } }');
    expect(other.data).toEqual({ voices: { code: 'NOT_AUTHORIZED' } });
    expect(world.odd.requests).toEqual([]);
  });
});
