import { EventSource } from 'eventsource';
import { readEvents } from '../../support/graphql-client.ts';
import { RawWebSocket } from '../../support/raw-websocket.ts';

export type Seen = { cursor: string; sequence: number; status: string; lipsync: { id: string } };

const eventFields = `... on LipsyncProgress { cursor sequence status lipsync { id } }
  ... on LipsyncError { code message }`;

const documents = {
  one: `subscription ($id: ID!, $after: String) {
    event: lipsyncProgress(id: $id, after: $after) { ${eventFields} } }`,
  list: `subscription ($ids: [ID!]!, $after: String) {
    event: lipsyncsProgress(ids: $ids, after: $after) { ${eventFields} } }`,
};

type Data = { event: Seen } | null | undefined;

/** Subscribes to a lip-sync or a list to its end, over as many connections as needed, and keeps every event. */
export class ResumingSubscriber {
  readonly events: Seen[] = [];
  isComplete = false;
  readonly #url: string;
  readonly #query: string;
  readonly #variables: { id: string } | { ids: string[] };

  constructor(url: string, watched: string | string[]) {
    this.#url = url;
    const isList = Array.isArray(watched);
    this.#query = isList ? documents.list : documents.one;
    this.#variables = isList ? { ids: watched } : { id: watched };
  }

  get #cursor(): string | null {
    return this.events.at(-1)?.cursor ?? null;
  }

  #take(data: Data): void {
    if (data === null || data === undefined) throw new Error('An event without data.');
    this.events.push(data.event);
  }

  async overWebSocket(): Promise<void> {
    while (!this.isComplete) {
      const client = await RawWebSocket.open(this.#url).catch(() => null);
      if (client === null) continue;
      client.subscribe('1', this.#query, { ...this.#variables, after: this.#cursor });
      await client.message(({ type }) => type === 'complete').catch(() => undefined);
      client.socket.close();
      await client.closed;
      for (const { type, payload } of client.messages) {
        if (type === 'next') this.#take(payload?.data as Data);
        if (type === 'complete') this.isComplete = true;
      }
    }
  }

  /** By POST, with `after`. */
  async overFetch(): Promise<void> {
    await this.#fetchUntilComplete(() => ({ headers: {}, after: this.#cursor }));
  }

  /** With `Last-Event-ID`, and an `after` that would repeat everything. */
  async overFetchWithLastEventId(): Promise<void> {
    await this.#fetchUntilComplete(() => ({
      headers: this.#cursor === null ? {} : { 'last-event-id': this.#cursor },
      after: this.events[0]?.cursor ?? null,
    }));
  }

  async #fetchUntilComplete(
    nextStart: () => { headers: Record<string, string>; after: string | null },
  ): Promise<void> {
    while (!this.isComplete) {
      const { headers, after } = nextStart();
      try {
        const response = await fetch(`${this.#url}/graphql`, {
          method: 'POST',
          headers: {
            accept: 'text/event-stream',
            'content-type': 'application/json',
            ...headers,
          },
          body: JSON.stringify({ query: this.#query, variables: { ...this.#variables, after } }),
        });
        for await (const { event, data } of readEvents(response.body as ReadableStream)) {
          if (event === 'complete') this.isComplete = true;
          else this.#take((JSON.parse(data) as { data: Data }).data);
        }
      } catch (error) {
        if (!isCut(error)) throw error;
      }
    }
  }

  /** As a browser does: one URL, with automatic reconnects. */
  async overEventSource(): Promise<void> {
    const search = new URLSearchParams({
      query: this.#query,
      variables: JSON.stringify(this.#variables),
    });
    const source = new EventSource(`${this.#url}/graphql?${search}`);
    const completed = Promise.withResolvers<void>();
    source.addEventListener('next', (event) => {
      this.#take((JSON.parse(String(event.data)) as { data: Data }).data);
    });
    source.addEventListener('complete', () => completed.resolve());
    source.addEventListener('error', () => {
      if (source.readyState === source.CLOSED) completed.reject(new Error('It gave up.'));
    });
    await completed.promise.finally(() => source.close());
    this.isComplete = true;
  }
}

/** The errors of `fetch` for a connection that broke before or during the answer. */
function isCut(error: unknown): boolean {
  return error instanceof TypeError && /fetch failed|terminated/.test(error.message);
}
