import type { CreateFailure, CreateLipsyncAnswer } from 'lipsync-graphql-client';
import { type MakeState, useMakeLipsync } from 'lipsync-graphql-client/react';
import { useEffect, useEffectEvent, useRef } from 'react';
import { explainError, explainRefusal } from '../text/explain.ts';
import type { Notice } from '../text/notices.ts';
import {
  clearPendingRequest,
  type PendingRequest,
  readPendingRequest,
  storePendingRequest,
} from './pending-request.ts';

/** The lip-sync exists. After `OutcomeUnknownError` it may or may not be running at the video service. */
export type CreatedLipsync = Exclude<CreateLipsyncAnswer, CreateFailure>;

/**
 * Creates lip-syncs, one at a time. A request that a reload interrupted is repeated with the same key. The panel follows
 * what was created, so the form is free for the next one.
 */
export function useCreateLipsync(onCreated: (created: CreatedLipsync) => void) {
  const { state, make, reset } = useMakeLipsync();
  const isMounted = useRef(false);

  const send = async ({ input, idempotencyKey }: PendingRequest) => {
    const answer = await make({ ...input, idempotencyKey });
    // Unmounted by a sign-in: the next form repeats the request with its key.
    if (answer === null || !isMounted.current) return;
    clearPendingRequest();
    if (!('lipsync' in answer)) return;
    reset();
    onCreated(answer);
  };

  const resume = useEffectEvent(() => {
    const pending = readPendingRequest();
    if (pending !== null) void send(pending);
  });
  useEffect(() => {
    isMounted.current = true;
    resume();
    return () => {
      isMounted.current = false;
    };
  }, []);

  return {
    isSending: state.kind === 'CREATING',
    notice: noticeOf(state),
    create: (input: PendingRequest['input']) => void send(storePendingRequest(input)),
    dismiss: reset,
  };
}

function noticeOf(state: MakeState): Notice | null {
  if (state.kind === 'REFUSED') return explainRefusal(state.failure);
  return state.kind === 'ERROR' ? explainError(state.error) : null;
}
