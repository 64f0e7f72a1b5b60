import {
  type CreateFailure,
  type CreateLipsyncAnswer,
  createLipsync,
} from 'lipsync-graphql-client';
import { useEffect, useEffectEvent, useRef, useState } from 'react';
import { useSession } from '../session/session.tsx';
import { explainError, explainRefusal } from '../text/explain.ts';
import type { Notice } from '../text/notices.ts';
import {
  clearPendingRequest,
  type PendingRequest,
  readPendingRequest,
  storePendingRequest,
} from './pending-request.ts';

export type CreateState =
  | { kind: 'IDLE' }
  | { kind: 'SENDING' }
  | { kind: 'FAILED'; notice: Notice };

type Input = PendingRequest['input'];

/** The lip-sync exists. After `OutcomeUnknownError` it may or may not be running at the video service. */
export type CreatedLipsync = Exclude<CreateLipsyncAnswer, CreateFailure>;

/** Creates lip-syncs, one at a time. A request that a reload interrupted is repeated with the same key. */
export function useCreateLipsync(onCreated: (created: CreatedLipsync) => void) {
  const { server } = useSession();
  const [state, setState] = useState<CreateState>({ kind: 'IDLE' });
  const request = useRef<AbortController | null>(null);

  const send = async ({ input, idempotencyKey }: PendingRequest) => {
    const abort = new AbortController();
    request.current?.abort();
    request.current = abort;
    setState({ kind: 'SENDING' });
    try {
      const answer = await createLipsync(
        server,
        { ...input, idempotencyKey },
        { signal: abort.signal },
      );
      clearPendingRequest();
      if (!('lipsync' in answer)) {
        return setState({ kind: 'FAILED', notice: explainRefusal(answer) });
      }
      onCreated(answer);
      setState({ kind: 'IDLE' });
    } catch (error) {
      if (abort.signal.aborted || !(error instanceof Error)) return;
      setState({ kind: 'FAILED', notice: explainError(error) });
    }
  };

  const resume = useEffectEvent(() => {
    const pending = readPendingRequest();
    if (pending !== null) void send(pending);
  });
  useEffect(() => {
    resume();
    return () => request.current?.abort();
  }, []);

  return {
    state,
    create: (input: Input) => void send(storePendingRequest(input)),
    dismiss: () => setState({ kind: 'IDLE' }),
  };
}
