import { Group, Progress, Stack, Text } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import type { LipsyncEvent } from 'lipsync-graphql-client';
import { ArrivingFile } from '../form/arriving-file.tsx';
import { nameOf } from '../form/upload-name.ts';
import { Icon } from '../icon.tsx';
import { useIsConnectionLost } from '../session/session.tsx';
import { isAtVideoService } from '../text/status.ts';
import type { Details } from './details.ts';
import { describeRunning } from './status-text.ts';
import { useEstimate } from './use-estimate.ts';

type Props = { event: LipsyncEvent; details: Details | null };

/** The progress bar of a running lip-sync. Between events it moves by the estimate. */
export function RunningLipsync({ event, details }: Props) {
  const { percent, remaining } = useEstimate(event);
  const isLost = useIsConnectionLost();
  const [headline, advice] = describeRunning(event);
  const isMoving = isAtVideoService(event.status);
  const wholePercent = Math.floor(percent);
  useDocumentTitle(`${isMoving ? `${wholePercent} %` : headline} · Lip-sync studio`);
  return (
    <Stack gap="xs">
      <Group justify="space-between" align="baseline">
        <Text fw={600}>{headline}</Text>
        {isMoving && (
          <Text size="sm" c="dimmed" className="numbers">
            {wholePercent} %{remaining !== null && `, ${remaining}`}
          </Text>
        )}
      </Group>
      <Progress
        size="lg"
        value={percent}
        animated={!isLost}
        striped={!isMoving}
        aria-label="Progress"
        transitionDuration={500}
      />
      <Text size="sm" c="dimmed">
        {advice}
      </Text>
      {event.status === 'QUEUED' && event.queuePosition === null && (
        <ArrivingFiles details={details} />
      )}
      {/* Always rendered: screen readers announce only changes inside an existing live region. */}
      <Text size="sm" role="status" c="var(--warn)">
        {isLost && (
          <Group component="span" gap={6} wrap="nowrap">
            <Icon name="offline" size={16} />
            Connection lost, reconnecting. The video continues in the meantime.
          </Group>
        )}
      </Text>
    </Stack>
  );
}

/** The files that the server fetches for a lip-sync without a place in the queue. */
function ArrivingFiles({ details }: { details: Details | null }) {
  const uploads = [details?.sourceUpload ?? null, details?.speechUpload ?? null];
  return uploads.map(
    (upload) =>
      upload !== null &&
      upload.sourceUrl !== null && (
        <ArrivingFile key={upload.id} uploadId={upload.id} name={nameOf(upload)} />
      ),
  );
}
