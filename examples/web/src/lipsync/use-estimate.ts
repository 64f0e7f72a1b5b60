import type { LipsyncEvent } from 'lipsync-graphql-client';
import { useEffect, useState } from 'react';
import { isAtVideoService } from '../text/status.ts';
import { describeRemaining, type Estimate, percentAt } from './estimate.ts';

const tickMs = 500;

export type DisplayedProgress = { percent: number; remaining: string | null };

/** The progress bar, which moves between events. */
export function useEstimate(event: LipsyncEvent | null): DisplayedProgress {
  const isMoving = event !== null && isAtVideoService(event.status);
  const estimate = useLatestEstimate(isMoving ? event : null);
  const nowMs = useNow(isMoving);
  if (estimate === null) return { percent: event?.percent ?? 0, remaining: null };
  const { endsAtMs } = estimate;
  return {
    percent: percentAt(estimate, nowMs),
    remaining: endsAtMs === null ? null : describeRemaining(endsAtMs, nowMs),
  };
}

/** The estimate of the last event. It starts at the displayed percentage, so that the bar never falls. */
function useLatestEstimate(event: LipsyncEvent | null): Estimate | null {
  const [latest, setLatest] = useState<{ cursor: string; estimate: Estimate } | null>(null);
  if (event === null) return null;
  if (latest !== null && latest.cursor === event.cursor) return latest.estimate;
  const { percent, estimatedCompletionAt } = event.lipsync.progress;
  const receivedAtMs = Date.now();
  const displayed = latest === null ? 0 : percentAt(latest.estimate, receivedAtMs);
  const estimate = {
    percent: Math.max(percent, displayed),
    receivedAtMs,
    endsAtMs: estimatedCompletionAt === null ? null : Date.parse(estimatedCompletionAt),
  };
  setLatest({ cursor: event.cursor, estimate });
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
