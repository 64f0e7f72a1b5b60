import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Agent, connectAgent } from '../../support/agent.ts';
import { type LipsyncApp, startLipsyncApp } from '../../support/lipsync-app.ts';
import { longWait } from '../../support/lipsyncs.ts';
import { scrape, sumOf } from '../../support/metrics.ts';

/** Jobs end only when a test ends them. */
const sandbox = { generatingMs: 3_600_000 };

let app: LipsyncApp;
let agent: Agent;
beforeAll(async () => {
  app = await startLipsyncApp({ sandbox });
  agent = await connectAgent({ url: app.url });
});
afterAll(async () => {
  await agent?.client.close();
  await app?.stop();
});

let keyCount = 0;
async function create(by: Agent, at: LipsyncApp): Promise<string> {
  keyCount += 1;
  const [videoId] = await at.listVideoIds();
  const { content } = await by.call('create_lipsync', {
    video: { videoId },
    speech: { script: { text: 'Slowly.' } },
    idempotencyKey: `key-${keyCount}`,
  });
  return (content.lipsync as { id: string }).id;
}

/** Resolves once the wait has reported a progress. */
async function startWait(by: Agent, id: string, signal?: AbortSignal) {
  const begun = Promise.withResolvers<void>();
  const answer = by.call(
    'wait_for_lipsync',
    { id },
    { ...(signal === undefined ? {} : { signal }), onprogress: () => begun.resolve() },
  );
  await begun.promise;
  return { answer };
}

describe('a wait', () => {
  test('ends with the present state after the time that was asked for, and a further call continues', async () => {
    const id = await create(agent, app);
    const first = await agent.call('wait_for_lipsync', { id, maxSeconds: 1 });
    expect(first).toMatchObject({ isError: false, content: { finished: false } });
    const { answer } = await startWait(agent, id);
    await app.finishJobs();
    expect(await answer).toMatchObject({
      content: { finished: true, lipsync: { id, status: 'COMPLETED' } },
    });
  });

  // Clients of the older revision cancel a call by a message, which cannot be matched with a call: there are no sessions.
  test.each([
    { revision: 'current', how: 'cancels the call' },
    { revision: 'current', how: 'disconnects' },
    { revision: 'older', how: 'disconnects' },
  ] as const)('is closed when a client of the $revision revision $how', async (client) => {
    const { revision, how } = client;
    await using own = await connectAgent({ url: app.url, revision });
    const openWaits = async () =>
      sumOf(await scrape(app.url), 'graphql_streams', { transport: 'mcp' });
    const id = await create(agent, app);
    const cancelled = new AbortController();
    const { answer } = await startWait(own, id, cancelled.signal);
    expect(await openWaits()).toBe(1);
    const left = expect(answer).rejects.toThrow();
    if (how === 'disconnects') await own.client.close();
    else cancelled.abort();
    await left;
    await expect.poll(openWaits, longWait).toBe(0);
  });

  test('ends when this server stops, and its answer says that the lip-sync has not finished', async () => {
    await using stopping = await startLipsyncApp({ sandbox });
    await using own = await connectAgent({ url: stopping.url });
    const id = await create(own, stopping);
    const { answer } = await startWait(own, id);
    await stopping.waitForStatus(id, ['SUBMITTED', 'GENERATING']);
    await stopping.app.close();
    expect(await answer).toMatchObject({ isError: false, content: { finished: false } });
  });

  test('is refused beyond the streams of its owner, of which each open wait is one', async () => {
    await using limited = await startLipsyncApp({ env: { STREAMS_PER_CALLER: '1' }, sandbox });
    await using own = await connectAgent({ url: limited.url });
    const id = await create(own, limited);
    const { answer } = await startWait(own, id);
    expect(await own.call('wait_for_lipsync', { id })).toMatchObject({
      isError: true,
      content: { code: 'QUOTA_EXCEEDED', retryable: true },
    });
    await limited.finishJobs();
    expect(await answer).toMatchObject({ content: { finished: true } });
  });
});
