import { Text } from '@mantine/core';
import { useEffect, useEffectEvent } from 'react';
import { useLimits } from '../session/viewer.ts';
import { describeTime } from '../text/time.ts';

/** How many lip-syncs the limits of the caller leave. Without limits nothing is shown. Refetched at each new `revision`. */
export function RemainingLipsyncs({ revision }: { revision: number }) {
  const [{ data }, refetch] = useLimits();
  const refetchLimits = useEffectEvent(() => refetch({ requestPolicy: 'network-only' }));
  useEffect(() => {
    if (revision > 0) refetchLimits();
  }, [revision]);
  const { lipsyncsPerDay = null, lipsyncsInFlight = null } = data?.viewer ?? {};
  const texts = [
    lipsyncsPerDay !== null && describeDay(lipsyncsPerDay),
    lipsyncsInFlight !== null && describeInFlight(lipsyncsInFlight),
  ].filter((text) => text !== false);
  if (texts.length === 0) return null;
  return (
    <Text size="sm" c="dimmed">
      {texts.join(' ')}
    </Text>
  );
}

type Limit = { limit: number; remaining: number };

function describeDay({ limit, remaining, resetAt }: Limit & { resetAt: string | null }): string {
  const next =
    remaining === 0 && resetAt !== null ? ` The next one: ${describeTime(resetAt)}.` : '';
  return `${remaining} of ${limit} lip-syncs left in 24 hours.${next}`;
}

function describeInFlight({ limit, remaining }: Limit): string {
  return remaining === 0
    ? `All ${limit} lip-syncs that can run or wait at a time do so now.`
    : `${remaining} more can run or wait now.`;
}
