import type { LipsyncEvent } from 'lipsync-graphql-client';
import { useEffect, useState } from 'react';
import { describeRest, type Estimate, percentAt } from './estimate.ts';

const tickMs = 500;

export type Shown = { percent: number; rest: string | null };

const moving = ['SUBMITTED', 'GENERATING'];

/** The bar between the events. */
export function useEstimate(event: LipsyncEvent | null): Shown {
  const isMoving = event !== null && moving.includes(event.status);
  const estimate = useToldEstimate(isMoving ? event : null);
  const nowMs = useNow(isMoving);
  if (estimate === null) return { percent: event?.percent ?? 0, rest: null };
  const { endsAtMs } = estimate;
  return {
    percent: percentAt(estimate, nowMs),
    rest: endsAtMs === null ? null : describeRest(endsAtMs, nowMs),
  };
}

/** That of the last event; it begins where the bar stands already. */
function useToldEstimate(event: LipsyncEvent | null): Estimate | null {
  const [told, setTold] = useState<{ cursor: string; estimate: Estimate } | null>(null);
  if (event === null) return null;
  if (told !== null && told.cursor === event.cursor) return told.estimate;
  const { percent, estimatedCompletionAt } = event.lipsync.progress;
  const toldAtMs = Date.now();
  const shown = told === null ? 0 : percentAt(told.estimate, toldAtMs);
  const estimate = {
    percent: Math.max(percent, shown),
    toldAtMs,
    endsAtMs: estimatedCompletionAt === null ? null : Date.parse(estimatedCompletionAt),
  };
  setTold({ cursor: event.cursor, estimate });
  return estimate;
}

function useNow(isRunning: boolean): number {
  const [nowMs, setNowMs] = useState(() => Date.now());
  useEffect(() => {
    if (!isRunning) return;
    const timer = setInterval(() => setNowMs(Date.now()), tickMs);
    return () => clearInterval(timer);
  }, [isRunning]);
  return nowMs;
}
