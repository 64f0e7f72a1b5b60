import { useMemo, useSyncExternalStore } from 'react';
import type { CancelLipsyncAnswer } from '../lipsyncs/cancel.ts';
import type { WatchableServer } from '../streams/log-reader.ts';
import {
  type CancelState,
  connecting,
  type Followed,
  findFollower,
  followerOf,
  type LipsyncState,
  notFollowed,
  renderedOnServer,
} from './lipsync-store.ts';
import { useServer } from './provider.ts';

/** What `useLipsync` returns. */
export type FollowedLipsync<State = LipsyncState> = {
  /** By `kind`: the lip-sync as it is at the moment. */
  state: State;
  /** What became of `cancel`. */
  cancellation: CancelState;
  /**
   * Cancels the lip-sync at the server. `cancellation` says what becomes of it; so does the promise, which is null after
   * an error and never rejects.
   */
  cancel: () => Promise<CancelLipsyncAnswer | null>;
  /** Follows the lip-sync again when the state is `ERROR`. */
  retry: () => void;
};

/**
 * Follows a lip-sync: its live state, until its end. A broken connection is resumed after the last event. All components
 * that show the same lip-sync share one stream. Unmounting the last of them closes the stream and does not cancel the
 * lip-sync: it continues at the server, and a component that is mounted later follows it from where it is then.
 *
 * On a server, and while a page is hydrated, the state is `CONNECTING`, and no stream is opened.
 *
 *     const { state, cancel } = useLipsync(id);
 *     if (state.kind === 'MAKING') return <progress value={state.event.percent} max={100} />;
 *     if (state.kind === 'ENDED' && state.end.outcome === 'COMPLETED') return <video src={state.end.video.url} />;
 *
 * @param id of a lip-sync; with null nothing is followed, and the state is `IDLE`
 */
export function useLipsync(id: string | null): FollowedLipsync {
  const server = useServer();
  const binding = useMemo(() => bind(server, id), [server, id]);
  const { state, cancellation } = useSyncExternalStore(
    binding.subscribe,
    binding.read,
    binding.readOnServer,
  );
  const { cancel, retry } = binding;
  return { state, cancellation, cancel, retry };
}

/**
 * `useLipsync` that suspends until the first event: the nearest `Suspense` shows its fallback while it connects. Failures
 * and errors are states, as they are there. A server renders the fallback.
 */
export function useSuspenseLipsync(
  id: string,
): FollowedLipsync<Exclude<LipsyncState, { kind: 'IDLE' | 'CONNECTING' }>> {
  const { state, ...rest } = useLipsync(id);
  const server = useServer();
  if (state.kind !== 'CONNECTING' && state.kind !== 'IDLE') return { state, ...rest };
  // React Native has no document either, and no server.
  if (state === renderedOnServer.state && !('document' in globalThis)) {
    throw new Error(
      'A lip-sync is followed in the browser: until then Suspense shows its fallback.',
    );
  }
  const follower = followerOf(server, id);
  follower.follow();
  throw follower.untilConnected();
}

type Binding = {
  subscribe: (listener: () => void) => () => void;
  read: () => Followed;
  readOnServer: () => Followed;
  cancel: () => Promise<CancelLipsyncAnswer | null>;
  retry: () => void;
};

const nothing: Binding = {
  subscribe: () => () => undefined,
  read: () => notFollowed,
  readOnServer: () => notFollowed,
  cancel: async () => null,
  retry: () => undefined,
};

function bind(server: WatchableServer, id: string | null): Binding {
  if (id === null) return nothing;
  return {
    subscribe(listener) {
      const follower = followerOf(server, id);
      const unsubscribe = follower.store.subscribe(listener);
      follower.follow();
      return unsubscribe;
    },
    read: () => findFollower(server, id)?.store.read() ?? connecting,
    readOnServer: () => renderedOnServer,
    cancel: () => followerOf(server, id).cancel(),
    retry: () => followerOf(server, id).follow(),
  };
}
