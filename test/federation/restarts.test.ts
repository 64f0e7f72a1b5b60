import { describe, expect, test, vi } from 'vitest';
import { startTestApp } from '../support/app.ts';
import { testStorage } from '../support/database.ts';
import { findFreePort } from '../support/free-port.ts';
import { createLipsync, withHeaders } from '../support/lipsyncs.ts';
import { callers, callersEnv, type Graph, startGraph } from './graph.ts';

type Event = { cursor: string; sequence: number; status: string };

const progress = `subscription ($id: ID!, $after: String) { lipsyncProgress(id: $id, after: $after) {
  ... on LipsyncProgress { cursor sequence status } } }`;

const longWait = { timeout: 60_000, interval: 100 };
const env = { ...callersEnv, POLL_INTERVAL_MS: '600000' };

/**
 * Follows a lip-sync as docs/federation.md recommends: skips repeated events, and subscribes again from the last cursor if
 * an event is missing or the stream ends before the lip-sync does.
 *
 * @param seen collects the events, each once
 */
async function follow(graph: Graph, id: string, seen: Event[]): Promise<void> {
  while (seen.at(-1)?.status !== 'COMPLETED') {
    await vi.waitFor(() => askViewer(graph), longWait);
    await watch(graph, id, seen);
  }
}

async function watch(graph: Graph, id: string, seen: Event[]): Promise<void> {
  const last = seen.at(-1);
  const events = graph.watchSse<{ lipsyncProgress: Event }>(
    progress,
    last === undefined ? { id } : { id, after: last.cursor },
    { headers: callers.first },
  );
  for await (const { data } of events) {
    const event = data.data?.lipsyncProgress;
    if (event === undefined || !keep(seen, event)) return;
  }
}

/** Adds an event unless it is a repetition. @returns false if an event before it is missing */
function keep(seen: Event[], event: Event): boolean {
  const next = (seen.at(-1)?.sequence ?? event.sequence - 1) + 1;
  if (event.sequence === next) seen.push(event);
  return event.sequence <= next;
}

async function askViewer({ ask }: Graph): Promise<void> {
  const { data } = await ask<{ viewer: { name: string } }>(
    '{ viewer { name } }',
    {},
    callers.first,
  );
  expect(data?.viewer.name).toBe('first');
}

describe.each(['sse', 'ws', 'callback'])('with %s between the gateway and the subgraph', (kind) => {
  test('a subscriber resumes from the last cursor after a restart of the subgraph, without a gap or a repetition', async () => {
    const storage = await testStorage();
    const port = String(await findFreePort());
    const graph = await startGraph({
      env: { SUBGRAPH_SUBSCRIPTIONS: kind },
      app: { storage, env: { ...env, PORT: port }, sandbox: { queuedMs: 50, generatingMs: 200 } },
    });
    try {
      const { id } = await createLipsync(withHeaders(graph, callers.first), {
        text: '[[never]] Later.',
      });
      const seen: Event[] = [];
      const followed = follow(graph, id, seen);
      await vi.waitFor(() => expect(seen.at(-1)?.status).toBe('GENERATING'), longWait);
      const { app, sandbox, finishJobs } = graph.app;
      await app.close();
      await using _again = await startTestApp({
        storage,
        upstream: { baseUrl: sandbox.baseUrl, token: sandbox.token },
        env: { ...env, PORT: port },
      });
      await finishJobs();
      await followed;
      expect(seen.map(({ sequence }) => sequence)).toEqual(
        seen.map((_, at) => (seen[0]?.sequence ?? 0) + at),
      );
    } finally {
      await graph.stop();
      await storage.remove();
    }
  });
});
