import { useMemo, useSyncExternalStore } from 'react';
import type { CancelLipsyncAnswer } from '../lipsyncs/cancel.ts';
import type { CreateLipsyncAnswer } from '../lipsyncs/create.ts';
import type { CreateLipsyncInput } from '../operations.ts';
import type { CancelState } from './lipsync-store.ts';
import { createMakeStore, type MakeState, makeStateOf, readNothing } from './make-store.ts';
import { useStoreOfServer } from './provider.ts';
import { useLipsync } from './use-lipsync.ts';

/** What `useMakeLipsync` returns. */
export type LipsyncMaker = {
  /** By `kind`: from the input to the finished video. */
  state: MakeState;
  /** What became of `cancel`. */
  cancellation: CancelState;
  /**
   * Creates a lip-sync and follows it. Each attempt has an idempotency key of its own, unless the input has one. Until it
   * has ended, or was refused, a call with an equal input belongs to the same attempt: a second click, or an effect that
   * StrictMode runs twice, sends nothing, and after an error the same key is sent. To make the same again, call `reset`
   * first.
   *
   * The promise is for what happens once, such as storing the id. It is null after an error and never rejects.
   */
  make: (input: CreateLipsyncInput) => Promise<CreateLipsyncAnswer | null>;
  /**
   * Cancels the lip-sync at the server, also when it is still being created. `cancellation` says what becomes of it; so
   * does the promise, which is null if there is nothing to cancel or after an error, and never rejects.
   */
  cancel: () => Promise<CancelLipsyncAnswer | null>;
  /** Continues when the state is `ERROR`: with the same key, or after the last event. */
  retry: () => void;
  /** Back to `IDLE`. It stops following, and does not cancel the lip-sync. */
  reset: () => void;
};

/**
 * Makes one lip-sync at a time, from the input to the finished video. A broken connection is resumed after the last
 * event. Unmounting stops following and does not cancel anything: a request that was sent is completed, and the lip-sync
 * continues at the server. To follow it again, pass its id to `useLipsync`.
 *
 *     const { state, make, cancel } = useMakeLipsync();
 *     <button onClick={() => make({ video: { videoId }, speech: { script: { text } } })}>Make</button>
 */
export function useMakeLipsync(): LipsyncMaker {
  const store = useStoreOfServer(createMakeStore);
  const creation = useSyncExternalStore(store.subscribe, store.read, readNothing);
  const followed = useLipsync(creation.kind === 'CREATED' ? creation.lipsync.id : null);
  const state = useMemo(() => makeStateOf(creation, followed.state), [creation, followed.state]);
  const isCancelling = creation.kind === 'CREATING' && creation.isCancelling;
  const { make, cancel, retry, reset } = store;
  return {
    state,
    cancellation: isCancelling ? { kind: 'CANCELLING' } : followed.cancellation,
    make,
    cancel,
    retry,
    reset,
  };
}
