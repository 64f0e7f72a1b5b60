import { progressSubscription } from '../domains/lipsyncs/stage.ts';
import { readEvents } from './graphql-client.ts';
import { RawWebSocket } from './raw-websocket.ts';

export type Told = { cursor: string; sequence: number; status: string };

export type Transport = 'websocket' | 'event stream' | 'event stream by POST';

/** How a leg ended: `completed` by the server, `closed` by whatever else. `code` is that of a WebSocket. */
export type End = { kind: 'completed' | 'closed'; code: number | null };

/** One connection of a watcher who may need several. */
export type Leg = {
  /** What it was told, so far. */
  told: Told[];
  /** Resolves when it has been told so many, or is over. */
  count(most: number): Promise<void>;
  over: Promise<End>;
  /** Without a goodbye, as a network does it. */
  cut(): void;
};

type Walk = { url: string; id: string; after: string | null; transport: Transport };

/** Resolves when the server has accepted the connection; nothing may have been told yet. */
export async function openLeg(walk: Walk): Promise<Leg> {
  const told: Told[] = [];
  const waiting = new Set<() => void>();
  let isOver = false;
  const hear = (event: unknown) => {
    told.push(event as Told);
    for (const wake of waiting) wake();
  };
  const open = walk.transport === 'websocket' ? openWebSocket : openEventStream;
  const { over, cut } = await open(walk, hear);
  return {
    told,
    cut,
    over: over.finally(() => {
      isOver = true;
      for (const wake of waiting) wake();
    }),
    count: (most) =>
      new Promise((resolve) => {
        const wake = () => {
          if (told.length < most && !isOver) return;
          waiting.delete(wake);
          resolve();
        };
        waiting.add(wake);
        wake();
      }),
  };
}

type Opened = { over: Promise<End>; cut: () => void };

async function openWebSocket(walk: Walk, hear: (event: unknown) => void): Promise<Opened> {
  const raw = await RawWebSocket.open(walk.url);
  raw.socket.on('message', (data) => {
    const { type, payload } = JSON.parse(String(data)) as {
      type: string;
      payload?: { data?: { lipsyncProgress?: unknown } };
    };
    if (type === 'next') hear(payload?.data?.lipsyncProgress);
  });
  raw.subscribe('1', progressSubscription, { id: walk.id, after: walk.after });
  const completed = raw
    .message(({ type }) => type === 'complete')
    .then(() => {
      raw.socket.close();
      return { kind: 'completed', code: null } as const;
    });
  const closed = raw.closed.then(({ code }) => ({ kind: 'closed', code }) as const);
  completed.catch(() => undefined);
  return {
    over: Promise.any([completed, closed.then((end) => completed.catch(() => end))]),
    cut: () => raw.socket.terminate(),
  };
}

async function openEventStream(walk: Walk, hear: (event: unknown) => void): Promise<Opened> {
  const { url, id, after } = walk;
  const cutting = new AbortController();
  const isPost = walk.transport === 'event stream by POST';
  // By POST the cursor is a variable; by GET it comes as a browser sends it.
  const operation = {
    query: progressSubscription,
    variables: { id, after: isPost ? after : null },
  };
  const search = new URLSearchParams({
    query: operation.query,
    variables: JSON.stringify(operation.variables),
  });
  const response = await fetch(isPost ? `${url}/graphql` : `${url}/graphql?${search}`, {
    method: isPost ? 'POST' : 'GET',
    headers: {
      accept: 'text/event-stream',
      ...(isPost ? { 'content-type': 'application/json' } : {}),
      ...(isPost || after === null ? {} : { 'last-event-id': after }),
    },
    ...(isPost ? { body: JSON.stringify(operation) } : {}),
    signal: cutting.signal,
  });
  const { body } = response;
  if (body === null || response.status !== 200) throw new Error(`no stream: ${response.status}`);
  const read = async (): Promise<End> => {
    try {
      for await (const { event, data } of readEvents(body)) {
        if (event === 'complete') return { kind: 'completed', code: null };
        hear((JSON.parse(data) as { data?: { lipsyncProgress?: unknown } }).data?.lipsyncProgress);
      }
    } catch {
      // It was cut, by us or by the server.
    }
    return { kind: 'closed', code: null };
  };
  return { over: read(), cut: () => cutting.abort() };
}
