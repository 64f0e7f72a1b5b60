import { afterAll, beforeAll, expect, it } from 'vitest';
import { idOf, type LipsyncApp, startLipsyncApp } from '../../support/lipsync-app.ts';

let app: LipsyncApp;
beforeAll(async () => {
  app = await startLipsyncApp({ env: { POLL_INTERVAL_MS: '600000' } });
  await app.sendFinalCallbacksOnly();
});
afterAll(() => app.stop());

it('reads fifty lip-syncs with voices, sources and results without an upstream call, as a list and by ids', async () => {
  const sources = await app.listVideoIds();
  type Voices = { voices: { nodes: { id: string; name: string }[] } };
  const { voices } = await app.askForData<Voices>(
    '{ voices { ... on VoiceList { nodes { id name } } } }',
  );
  const made: string[] = [];
  // Three get slots and end; the others wait behind three that never end.
  for (let n = 0; n < 50; n += 1) {
    const text = { text: n < 3 ? 'Short.' : '[[never]]', voiceId: voices.nodes[n % 14]?.id };
    const id = idOf(
      await app.create({
        video: { videoId: sources[n % sources.length] },
        speech: { script: text },
      }),
    );
    if (n < 3) expect((await app.waitForEnd(id)).status).toBe('COMPLETED');
    made.push(id);
  }
  await app.forgetRequests();

  const fields =
    'id voice { id name previewUrl } sourceVideo { id url prompt } result { id url durationSeconds }';
  type Node = {
    id: string;
    voice: { name: string };
    sourceVideo: { id: string; url: string };
    result: { url: string } | null;
  };
  const { lipsyncs } = await app.askForData<{ lipsyncs: { nodes: Node[] } }>(
    `{ lipsyncs(first: 50) { nodes { ${fields} } } }`,
  );
  expect(lipsyncs.nodes.map(({ id }) => id)).toEqual(made.toReversed());
  for (const [at, { voice, sourceVideo, result }] of lipsyncs.nodes.toReversed().entries()) {
    expect(voice.name).toBe(voices.nodes[at % 14]?.name);
    expect(sourceVideo.id).toBe(sources[at % sources.length]);
    expect(sourceVideo.url).toMatch(/\.mp4$/);
    expect(result?.url ?? null).toEqual(at < 3 ? expect.stringMatching(/\.mp4$/) : null);
  }
  const { nodes } = await app.askForData<{ nodes: Node[] }>(
    `query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Lipsync { ${fields} } } }`,
    { ids: made },
  );
  expect(nodes).toEqual(lipsyncs.nodes.toReversed());
  // The queue reads the load of the accounts at an interval, whatever callers read.
  const requests = (await app.requests()).filter(({ path }) => path !== '/scheduler/available');
  expect(requests).toEqual([]);
});
