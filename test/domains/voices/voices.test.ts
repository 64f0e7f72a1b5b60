import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openWithFakeUpstream, openWithSandbox } from '../accounts/slice-harness.ts';

let sandboxed: Awaited<ReturnType<typeof openWithSandbox>>;
let fake: Awaited<ReturnType<typeof openWithFakeUpstream>>;
beforeAll(async () => {
  [sandboxed, fake] = await Promise.all([
    openWithSandbox({ readFreshMs: 5_000 }),
    openWithFakeUpstream({ readFreshMs: 5_000 }),
  ]);
});
afterAll(() => Promise.all([sandboxed.close(), fake.close()]));
beforeEach(async () => {
  await fake.reset({ email: 'a@b.example' });
  await sandboxed.empty();
  await sandboxed.forgetRequests();
});

const reader = { scopes: ['lipsync:read'] };
const voicesQuery =
  '{ voices { __typename ... on VoiceList { nodes { id name previewUrl } } ... on LipsyncError { code } } }';

describe('works', () => {
  it('lists the voices, without the line break that the upstream has in the URL of voice 3', async () => {
    const harness = sandboxed;
    const { data, errors } = await harness.ask(voicesQuery, reader);
    expect(errors).toBeUndefined();
    const { nodes } = data.voices as unknown as { nodes: Record<string, string>[] };
    expect(nodes).toHaveLength(14);
    expect(nodes[2]).toMatchObject({
      name: 'Isabella',
      previewUrl: expect.stringMatching(/3\.mp3$/),
    });
  });

  it('serves two hundred concurrent queries after a start with one call for the voices and one for the accounts', async () => {
    const harness = sandboxed;
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => harness.ask(voicesQuery, reader)),
    );
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect((await harness.requests()).toSorted()).toEqual([
      'GET /accounts',
      expect.stringMatching(/^GET \/videos\/voices\//),
    ]);
  });

  it('names an account only if there are several', async () => {
    const harness = fake;
    await harness.voices.list();
    expect(harness.upstream.calls()).toEqual(['GET /accounts', 'GET /videos/voices/']);
    harness.upstream.accounts.push({ email: 'c@d.example', maxJobs: 3 });
    await harness.accounts.refresh();
    harness.advance(60_000);
    await harness.voices.list();
    expect(harness.upstream.calls().at(-1)).toBe('GET /videos/voices/?email=a%40b.example');
  });

  it('finds a voice in the last list, and waits for a new list only for an unknown voice and after a minute', async () => {
    const harness = fake;
    const count = () => harness.upstream.calls().filter((call) => call.includes('voices')).length;
    expect(await harness.voices.find('1')).toMatchObject({ name: 'Emily' });
    expect(await harness.voices.find('99')).toBeNull();
    expect(count()).toBe(1);
    harness.advance(60_000);
    // Without waiting for the refresh that this starts.
    const found = harness.voices.find('3');
    expect(count()).toBe(1);
    expect(await found).toMatchObject({ name: 'Isabella' });
    expect(await harness.voices.find('99')).toBeNull();
    expect(count()).toBe(2);
  });

  // A single account on hold once failed every read.
  it('reads the voices from the next account if the first is on hold', async () => {
    const harness = fake;
    harness.upstream.accounts.push({ email: 'c@d.example', maxJobs: 3 });
    harness.upstream.replyToAll((call) =>
      call.includes('a%40b.example')
        ? { status: 596, body: JSON.stringify({ error: 'pending' }) }
        : null,
    );
    expect(await harness.voices.find('3')).toMatchObject({ name: 'Isabella' });
    harness.advance(60_000);
    harness.upstream.replyToAll((call) =>
      call.includes('voices') ? { status: 596, body: JSON.stringify({ error: 'pending' }) } : null,
    );
    const { data } = await harness.ask(voicesQuery, reader);
    expect(data).toMatchObject({ voices: { code: 'ACCOUNT_PENDING' } });
  });

  it('reads the voices from a healthy account first', async () => {
    const harness = fake;
    await harness.reset({ email: 'a@b.example', error: 'pending' }, { email: 'c@d.example' });
    await harness.voices.list();
    expect(harness.upstream.calls()).toEqual([
      'GET /accounts',
      'GET /videos/voices/?email=c%40d.example',
    ]);
  });

  it('finds a voice by its id in node, voice and _entities', async () => {
    const harness = sandboxed;
    const { data } = await harness.ask(voicesQuery, reader);
    const { nodes } = data.voices as unknown as { nodes: { id: string; name: string }[] };
    const id = nodes[1]?.id;
    const found = await harness.ask(
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

describe('while the upstream fails', () => {
  it('answers with a member of the union, also after a successful read', async () => {
    const harness = fake;
    await harness.voices.list();
    harness.advance(60_000);
    harness.upstream.replyToAll(() => ({
      status: 401,
      body: JSON.stringify({ error: 'Unauthorized' }),
    }));
    expect(await harness.ask(voicesQuery, reader)).toEqual({
      data: { voices: { __typename: 'UpstreamUnauthorizedError', code: 'UPSTREAM_UNAUTHORIZED' } },
    });
  });

  it('shows by id the present name of a voice, or the last known one while the upstream fails', async () => {
    const harness = fake;
    const id = Buffer.from('Voice:1').toString('base64url');
    const nameNow = async () => {
      const { data } = await harness.ask(`{ voice(id: "${id}") { name } }`, reader);
      return (data.voice as unknown as { name: string } | null)?.name ?? null;
    };
    const listed = (name: string) => ({
      status: 200,
      body: JSON.stringify([{ speaker_id: '1', display_name: name }]),
    });
    harness.upstream.reply('GET /videos/voices', listed('Before'));
    expect(await nameNow()).toBe('Before');
    harness.upstream.reply('GET /videos/voices', listed('After'));
    harness.advance(60_001);
    expect(await nameNow()).toBe('After');
    harness.upstream.reply('GET /videos/voices', { status: 401, body: '{}' });
    harness.advance(60_001);
    expect(await nameNow()).toBe('After');
    harness.upstream.reply('GET /videos/voices', null);
  });

  it('answers null with one error in a field without a union', async () => {
    const harness = fake;
    harness.upstream.replyToAll(() => ({
      status: 401,
      body: JSON.stringify({ error: 'Unauthorized' }),
    }));
    const { data, errors } = await harness.ask(
      `{ voice(id: "${Buffer.from('Voice:1').toString('base64url')}") { name } }`,
      reader,
    );
    expect(data).toEqual({ voice: null });
    expect(errors).toHaveLength(1);
  });

  it.each(['rubbish', '', Buffer.from('Video:1').toString('base64url'), '💥'])(
    'gives null for the id %j',
    async (id) => {
      const harness = fake;
      const answer = await harness.ask('query ($id: ID!) { voice(id: $id) { name } }', reader, {
        id,
      });
      expect(answer).toEqual({ data: { voice: null } });
    },
  );
});

describe('keeps out', () => {
  it('anonymous callers and callers without the scope', async () => {
    const harness = fake;
    const anonymous = await harness.ask(voicesQuery, { isAnonymous: true });
    expect(anonymous.data).toEqual({
      voices: { __typename: 'NotAuthenticatedError', code: 'NOT_AUTHENTICATED' },
    });
    const other = await harness.ask('{ voices { ... on LipsyncError { code } } }');
    expect(other.data).toEqual({ voices: { code: 'NOT_AUTHORIZED' } });
    expect(harness.upstream.requests).toEqual([]);
  });
});
