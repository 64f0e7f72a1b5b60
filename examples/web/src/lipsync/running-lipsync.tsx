import { Group, Progress, Stack, Text } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import type { LipsyncEvent } from 'lipsync-graphql-client';
import { Icon } from '../icon.tsx';
import { describeRunning } from './status-text.ts';
import { useEstimate } from './use-estimate.ts';
import { useIsLost } from './use-lipsync.ts';

const moves = ['SUBMITTED', 'GENERATING'];

/** The bar goes on by the estimate while nothing is told. */
export function Running({ event }: { event: LipsyncEvent }) {
  const { percent, rest } = useEstimate(event);
  const isLost = useIsLost();
  const [headline, advice] = describeRunning(event);
  const isMoving = moves.includes(event.status);
  const whole = Math.floor(percent);
  useDocumentTitle(`${isMoving ? `${whole} %` : headline} · Lip-sync studio`);
  return (
    <Stack gap="xs">
      <Group justify="space-between" align="baseline">
        <Text fw={600}>{headline}</Text>
        {isMoving && (
          <Text size="sm" c="dimmed" className="numbers">
            {whole} %{rest !== null && `, ${rest}`}
          </Text>
        )}
      </Group>
      <Progress
        size="lg"
        value={percent}
        animated={!isLost}
        striped={!isMoving}
        aria-label="How far it is"
        transitionDuration={500}
      />
      <Text size="sm" c="dimmed">
        {advice}
      </Text>
      {/* Always there, so that what comes into it is read out. */}
      <Text size="sm" role="status" c="var(--warn)">
        {isLost && (
          <Group component="span" gap={6} wrap="nowrap">
            <Icon name="offline" size={16} />
            The connection is gone. It is being made again, and the video goes on meanwhile.
          </Group>
        )}
      </Text>
    </Stack>
  );
}
