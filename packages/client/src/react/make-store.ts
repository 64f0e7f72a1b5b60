import type { CancelLipsyncAnswer } from '../lipsyncs/cancel.ts';
import { type CreateLipsyncAnswer, createLipsync, makeKey } from '../lipsyncs/create.ts';
import type { CreateFailure } from '../lipsyncs/make.ts';
import type { CreateLipsyncInput } from '../operations.ts';
import type { LipsyncEvent, WatchableServer, WatchFailure } from '../streams/log-reader.ts';
import type { Lipsync, LipsyncEnded } from '../streams/wait.ts';
import { findFollower, followerOf, type LipsyncState } from './lipsync-store.ts';
import { createStore, toError } from './store.ts';

/** From the input to the finished video. */
export type MakeState =
  | { kind: 'IDLE' }
  /** The request was sent, and there is no answer yet. */
  | { kind: 'CREATING' }
  /** The lip-sync exists. Store `lipsync.id`: `useLipsync` follows it after a reload. Without `event` none has arrived. */
  | { kind: 'MAKING'; lipsync: Lipsync; event: LipsyncEvent | null }
  | { kind: 'ENDED'; lipsync: Lipsync; event: LipsyncEvent; end: LipsyncEnded }
  /** Without `lipsync` nothing was created. With it, it was created, and the server refused to let it be watched. */
  | { kind: 'REFUSED'; failure: CreateFailure; lipsync: null }
  | { kind: 'REFUSED'; failure: WatchFailure; lipsync: Lipsync }
  /**
   * The client gave up. Without `lipsync` there is no answer, and whether it was created is unknown; with it, it
   * continues. `retry` is safe in both cases.
   */
  | { kind: 'ERROR'; error: Error; lipsync: Lipsync | null; event: LipsyncEvent | null };

/** The request for a lip-sync and its answer. */
export type Creation =
  | { kind: 'IDLE' }
  | { kind: 'CREATING'; isCancelling: boolean }
  | { kind: 'CREATED'; lipsync: Lipsync }
  | { kind: 'REFUSED'; failure: CreateFailure }
  | { kind: 'ERROR'; error: Error };

/** One attempt of the user to make a lip-sync: all of its requests have the same key. */
type Attempt = {
  inputJson: string;
  input: CreateLipsyncInput & { idempotencyKey: string };
  answer: Promise<CreateLipsyncAnswer | null>;
};

const idle = { kind: 'IDLE' } as const;

export function createMakeStore(server: WatchableServer) {
  const store = createStore<Creation>(idle);
  let attempt: Attempt | null = null;

  const send = async (input: Attempt['input']): Promise<CreateLipsyncAnswer | null> => {
    const isCurrent = () => attempt?.input === input;
    try {
      const answer = await createLipsync(server, input);
      if (isCurrent()) store.write(creationOf(answer));
      return answer;
    } catch (error) {
      if (isCurrent()) store.write({ kind: 'ERROR', error: toError(error) });
      return null;
    }
  };
  const begin = (inputJson: string, input: Attempt['input']) => {
    store.write({ kind: 'CREATING', isCancelling: false });
    attempt = { inputJson, input, answer: Promise.resolve(null) };
    attempt.answer = send(input);
    return attempt.answer;
  };
  const retry = (): Promise<CreateLipsyncAnswer | null> => {
    if (attempt === null) return Promise.resolve(null);
    const { inputJson, input, answer } = attempt;
    const creation = store.read();
    if (creation.kind === 'ERROR') return begin(inputJson, input);
    if (creation.kind === 'CREATED') findFollower(server, creation.lipsync.id)?.follow();
    return answer;
  };

  return {
    read: store.read,
    subscribe: store.subscribe,
    make(input: CreateLipsyncInput): Promise<CreateLipsyncAnswer | null> {
      const inputJson = JSON.stringify(input);
      const isRepetition = attempt?.inputJson === inputJson && !hasEnded(server, store.read());
      if (isRepetition) return retry();
      return begin(inputJson, { ...input, idempotencyKey: input.idempotencyKey ?? makeKey() });
    },
    retry,
    async cancel(): Promise<CancelLipsyncAnswer | null> {
      const creation = store.read();
      if (creation.kind === 'CREATED') return followerOf(server, creation.lipsync.id).cancel();
      if (creation.kind !== 'CREATING') return null;
      store.write({ ...creation, isCancelling: true });
      const answer = await attempt?.answer;
      return answer && 'lipsync' in answer ? followerOf(server, answer.lipsync.id).cancel() : null;
    },
    reset() {
      attempt = null;
      store.write(idle);
    },
  };
}

export function readNothing(): Creation {
  return idle;
}

function creationOf(answer: CreateLipsyncAnswer): Creation {
  if ('lipsync' in answer) return { kind: 'CREATED', lipsync: answer.lipsync };
  return { kind: 'REFUSED', failure: answer };
}

/** Whether a call with the same input is a new attempt. */
function hasEnded(server: WatchableServer, creation: Creation): boolean {
  if (creation.kind !== 'CREATED') return creation.kind === 'REFUSED';
  const followed = findFollower(server, creation.lipsync.id)?.store.read();
  return followed?.state.kind === 'ENDED' || followed?.state.kind === 'REFUSED';
}

export function makeStateOf(creation: Creation, followed: LipsyncState): MakeState {
  switch (creation.kind) {
    case 'IDLE':
      return idle;
    case 'CREATING':
      return { kind: 'CREATING' };
    case 'REFUSED':
      return { ...creation, lipsync: null };
    case 'ERROR':
      return { ...creation, lipsync: null, event: null };
    case 'CREATED':
      return followedStateOf(creation.lipsync, followed);
  }
}

function followedStateOf(lipsync: Lipsync, followed: LipsyncState): MakeState {
  switch (followed.kind) {
    case 'IDLE':
    case 'CONNECTING':
      return { kind: 'MAKING', lipsync, event: null };
    case 'MAKING':
    case 'ENDED':
      return followed;
    case 'REFUSED':
      return { ...followed, lipsync };
    case 'ERROR':
      return { ...followed, lipsync: followed.event?.lipsync ?? lipsync };
  }
}
