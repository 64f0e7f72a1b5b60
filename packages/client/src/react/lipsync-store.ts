import { type CancelLipsyncAnswer, cancelLipsync } from '../lipsyncs/cancel.ts';
import type {
  LipsyncEvent,
  LipsyncUpdate,
  WatchableServer,
  WatchFailure,
} from '../streams/log-reader.ts';
import { endOf, type Lipsync, type LipsyncEnded } from '../streams/wait.ts';
import { watchLipsync } from '../streams/watch.ts';
import { createStore, type Store, toError } from './store.ts';

/** What is known of a lip-sync at the moment. */
export type LipsyncState =
  /** There is no id. */
  | { kind: 'IDLE' }
  /** No event has arrived yet. */
  | { kind: 'CONNECTING' }
  /** `event.percent` and `event.queuePosition` are its progress. */
  | { kind: 'MAKING'; lipsync: Lipsync; event: LipsyncEvent }
  /** After an `OUTCOME_UNKNOWN` failure another end may follow. */
  | { kind: 'ENDED'; lipsync: Lipsync; event: LipsyncEvent; end: LipsyncEnded }
  /** The server refused to let it be watched, for example because there is no such lip-sync. */
  | { kind: 'REFUSED'; failure: WatchFailure }
  /**
   * The client gave up: the network was down for minutes, or the server refused the request. The lip-sync continues.
   * `retry` follows it again after `event`, which is the last one that arrived.
   */
  | { kind: 'ERROR'; error: Error; event: LipsyncEvent | null };

/** What became of a call of `cancel`. */
export type CancelState =
  | { kind: 'NOT_ASKED' }
  | { kind: 'CANCELLING' }
  /** By the answer's `__typename`: it was cancelled, it continues without being tracked, it had ended, or a failure. */
  | { kind: 'ANSWERED'; answer: CancelLipsyncAnswer }
  | { kind: 'ERROR'; error: Error };

export type Followed = { state: LipsyncState; cancellation: CancelState };

export const notFollowed: Followed = {
  state: { kind: 'IDLE' },
  cancellation: { kind: 'NOT_ASKED' },
};

export const connecting: Followed = { ...notFollowed, state: { kind: 'CONNECTING' } };

/** The snapshot on a server and while a page is hydrated. An object of its own, so that it can be recognized. */
export const renderedOnServer: Followed = { ...notFollowed, state: { kind: 'CONNECTING' } };

/**
 * How long a stream that was opened for a suspended component waits for the component to be mounted. React shows what
 * was suspended up to half a second late.
 */
const unmountedMs = 5_000;

/** Follows one lip-sync for all components that show it, from the first that is mounted to the last. */
export type Follower = {
  store: Store<Followed>;
  /** Opens the stream unless it is open or the lip-sync has ended. */
  follow(): void;
  /** Resolves when the state is no longer `CONNECTING`, for a component that suspends until then. */
  untilConnected(): Promise<void>;
  cancel(): Promise<CancelLipsyncAnswer | null>;
};

const followersOf = new WeakMap<WatchableServer, Map<string, Follower>>();

/** Outside of React, because React forgets the state of a component that suspends before it is mounted. */
export function findFollower(server: WatchableServer, id: string): Follower | undefined {
  return followersOf.get(server)?.get(id);
}

export function followerOf(server: WatchableServer, id: string): Follower {
  const known = findFollower(server, id);
  if (known !== undefined) return known;
  const followers = followersOf.get(server) ?? new Map<string, Follower>();
  followersOf.set(server, followers);
  const follower = createFollower(server, id, () => {
    if (followers.get(id) === follower) followers.delete(id);
  });
  followers.set(id, follower);
  return follower;
}

function createFollower(server: WatchableServer, id: string, forget: () => void): Follower {
  let stream: AbortController | null = null;
  let suspended: { promise: Promise<void>; resume: () => void } | null = null;
  const resume = () => {
    suspended?.resume();
    suspended = null;
  };
  const stop = () => {
    stream?.abort();
    resume();
    forget();
  };
  const stopIfUnused = () => {
    if (!store.isUsed()) stop();
  };
  const store = createStore(connecting, stop);
  const setState = (state: LipsyncState) => {
    store.write({ ...store.read(), state });
    if (state.kind !== 'CONNECTING') resume();
  };
  const setCancellation = (cancellation: CancelState) =>
    store.write({ ...store.read(), cancellation });
  return {
    store,
    follow() {
      const { state } = store.read();
      if (stream !== null || state.kind === 'ENDED' || state.kind === 'REFUSED') return;
      const last = eventOf(state);
      if (state.kind === 'ERROR') setState(last === null ? connecting.state : stateOf(last));
      stream = new AbortController();
      const { signal } = stream;
      void readStates(server, id, { last, signal, setState }).finally(() => {
        stream = null;
      });
    },
    untilConnected() {
      suspended ??= createSuspension(() => setTimeout(stopIfUnused, unmountedMs));
      return suspended.promise;
    },
    async cancel() {
      setCancellation({ kind: 'CANCELLING' });
      try {
        const answer = await cancelLipsync(server, id);
        setCancellation({ kind: 'ANSWERED', answer });
        return answer;
      } catch (error) {
        setCancellation({ kind: 'ERROR', error: toError(error) });
        return null;
      } finally {
        stopIfUnused();
      }
    },
  };
}

function createSuspension(onResumed: () => void) {
  let resume = () => {};
  const promise = new Promise<void>((resolve) => {
    resume = resolve;
  }).then(onResumed);
  return { promise, resume };
}

async function readStates(
  server: WatchableServer,
  id: string,
  {
    last,
    signal,
    setState,
  }: { last: LipsyncEvent | null; signal: AbortSignal; setState: (state: LipsyncState) => void },
): Promise<void> {
  let event = last;
  try {
    const updates = watchLipsync(server, id, { after: last?.cursor, signal });
    for await (const update of updates) {
      setState(stateOf(update));
      if (update.__typename === 'LipsyncProgress') event = update;
    }
  } catch (error) {
    if (!signal.aborted) setState({ kind: 'ERROR', error: toError(error), event });
  }
}

function eventOf(state: LipsyncState): LipsyncEvent | null {
  return 'event' in state ? state.event : null;
}

function stateOf(update: LipsyncUpdate): LipsyncState {
  if (update.__typename !== 'LipsyncProgress') return { kind: 'REFUSED', failure: update };
  const { lipsync, isFinal } = update;
  if (!isFinal) return { kind: 'MAKING', lipsync, event: update };
  return { kind: 'ENDED', lipsync, event: update, end: endOf(update) };
}
