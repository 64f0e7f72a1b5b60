import {
  type CreateFailure,
  type CreateLipsyncAnswer,
  createLipsync,
} from 'lipsync-graphql-client';
import { useEffect, useEffectEvent, useRef, useState } from 'react';
import { useSession } from '../session/session.tsx';
import { explain, explainThrown } from '../text/explain.ts';
import type { Words } from '../text/notices.ts';
import { forgetPending, keepPending, type Pending, readPending } from './pending-request.ts';

export type Making = { kind: 'IDLE' } | { kind: 'ASKING' } | { kind: 'FAILED'; words: Words };

type Input = Pending['input'];

/** There is one now, though perhaps nobody knows whether the video service took it. */
export type Made = Exclude<CreateLipsyncAnswer, CreateFailure>;

/**
 * Asks for lip-syncs, one at a time, and each once: what a reload interrupted is asked for again by itself, with the
 * same key.
 */
export function useMaking(onMade: (made: Made) => void) {
  const { server } = useSession();
  const [making, setMaking] = useState<Making>({ kind: 'IDLE' });
  const asking = useRef<AbortController | null>(null);

  const ask = async ({ input, idempotencyKey }: Pending) => {
    const abort = new AbortController();
    asking.current?.abort();
    asking.current = abort;
    setMaking({ kind: 'ASKING' });
    try {
      const answer = await createLipsync(
        server,
        { ...input, idempotencyKey },
        { signal: abort.signal },
      );
      forgetPending();
      if (!('lipsync' in answer)) {
        return setMaking({ kind: 'FAILED', words: explain(answer) });
      }
      onMade(answer);
      setMaking({ kind: 'IDLE' });
    } catch (error) {
      if (abort.signal.aborted || !(error instanceof Error)) return;
      setMaking({ kind: 'FAILED', words: explainThrown(error) });
    }
  };

  const resume = useEffectEvent(() => {
    const pending = readPending();
    if (pending !== null) void ask(pending);
  });
  useEffect(() => {
    resume();
    return () => asking.current?.abort();
  }, []);

  return {
    making,
    make: (input: Input) => void ask(keepPending(input)),
    dismiss: () => setMaking({ kind: 'IDLE' }),
  };
}
