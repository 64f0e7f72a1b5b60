import { setTimeout as wait } from 'node:timers/promises';
import { createGraphQLClient, type Result } from '../support/graphql-client.ts';
import type { Request } from './plan.ts';
import { terminal } from './points.ts';
import type { Product } from './product.ts';

export type Seen = { cursor: string; sequence: number; status: string; failure: string | null };

type Created = {
  createLipsync: {
    __typename: string;
    code?: string;
    replayed?: boolean;
    lipsync?: { id: string };
  };
};
type Progress = {
  lipsyncProgress: Omit<Seen, 'failure'> & {
    __typename: string;
    code?: string;
    failure: { code: string } | null;
  };
};

const createDocument = `mutation ($input: CreateLipsyncInput!) { createLipsync(input: $input) { __typename
  ... on CreateLipsyncSuccess { replayed lipsync { id } }
  ... on OutcomeUnknownError { lipsync { id } }
  ... on LipsyncError { code } } }`;

const watchDocument = `subscription ($id: ID!, $after: String) { lipsyncProgress(id: $id, after: $after) { __typename
  ... on LipsyncProgress { cursor sequence status failure { code } }
  ... on LipsyncError { code } } }`;

/** The delay before a client retries after a lost connection. */
const backOffMs = 50;

/** A client of one lip-sync that retries until it is answered and watches until the end, across all restarts. */
export class Client {
  readonly request: Request;
  readonly key: string;
  /** Every id that the idempotency key was answered with. */
  readonly ids = new Set<string>();
  /** The events in order of arrival, over all connections. */
  readonly seen: Seen[] = [];
  /** Wrong answers of the server. */
  readonly faults: string[] = [];
  readonly done: Promise<void>;
  isDone = false;
  readonly #product: Product;
  readonly #input: object;
  readonly #signal: AbortSignal;

  constructor(
    request: Request,
    way: { product: Product; seed: number; videoIds: readonly string[]; signal: AbortSignal },
  ) {
    const { number, text, video } = request;
    this.request = request;
    this.key = `${way.seed}-${number}`;
    this.#product = way.product;
    this.#signal = way.signal;
    this.#input = {
      video: { videoId: way.videoIds[video % way.videoIds.length] },
      speech: { script: { text } },
      idempotencyKey: this.key,
    };
    this.done = this.#run();
  }

  /** Repeats the request with the same key, as a client without an answer does. */
  async ask(): Promise<{ id: string; replayed: boolean } | null> {
    const client = createGraphQLClient(await this.#product.address());
    const { data, errors } = await client.ask<Created>(createDocument, { input: this.#input });
    const answer = data?.createLipsync;
    if (answer?.lipsync === undefined) {
      this.faults.push(`createLipsync answered ${JSON.stringify(errors ?? answer)}`);
      return null;
    }
    this.ids.add(answer.lipsync.id);
    return { id: answer.lipsync.id, replayed: answer.replayed ?? false };
  }

  /** All that follows a cursor, from one stream. */
  async resume(id: string, after: string): Promise<Seen[]> {
    const events: Seen[] = [];
    const url = await this.#product.address();
    for await (const result of this.#stream(url, { id, after })) {
      const event = this.#read(result);
      if (event !== null) events.push(event);
    }
    return events;
  }

  async #run(): Promise<void> {
    const created = await this.#insist(() => this.ask());
    const id = created?.id;
    if (id !== undefined) await this.#insist(() => this.#watch(id));
    this.isDone = true;
  }

  /** Until it was not cut off. */
  async #insist<T>(attempt: () => Promise<T>): Promise<T | null> {
    while (!this.#signal.aborted) {
      try {
        return await attempt();
      } catch {
        await wait(backOffMs);
      }
    }
    return null;
  }

  /** Resumes after the last event. @throws when the stream ends before the lip-sync does */
  async #watch(id: string): Promise<void> {
    const url = await this.#product.address({ atSurvivor: this.request.number % 2 === 1 });
    const after = this.seen.at(-1)?.cursor ?? null;
    for await (const result of this.#stream(url, { id, after })) {
      const event = this.#read(result);
      if (event === null) return;
      const last = this.seen.at(-1);
      if (last !== undefined && event.sequence !== last.sequence + 1) {
        this.faults.push(`the event ${event.sequence} came after ${last.sequence}`);
      }
      this.seen.push(event);
    }
    if (!terminal.includes(this.seen.at(-1)?.status ?? '')) throw new Error('cut off');
  }

  #read({ data, errors }: Result<Progress>): Seen | null {
    const answer = data?.lipsyncProgress;
    if (answer?.__typename === 'LipsyncProgress') {
      const { cursor, sequence, status, failure } = answer;
      return { cursor, sequence, status, failure: failure?.code ?? null };
    }
    this.faults.push(`lipsyncProgress answered ${JSON.stringify(errors ?? answer)}`);
    return null;
  }

  async *#stream(
    url: string,
    { id, after }: { id: string; after: string | null },
  ): AsyncGenerator<Result<Progress>, void> {
    const client = createGraphQLClient(url);
    if (this.request.transport === 'websocket') {
      yield* client.watchWs<Progress>(watchDocument, { id, after });
      return;
    }
    const headers: Record<string, string> = after === null ? {} : { 'last-event-id': after };
    for await (const { data } of client.watchSse<Progress>(watchDocument, { id }, { headers })) {
      yield data;
    }
  }
}
