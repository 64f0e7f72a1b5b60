import { Group, Paper, Progress, Text } from '@mantine/core';
import { useEffect, useEffectEvent } from 'react';
import { describeReceived } from '../text/size.ts';
import { type ArrivingUpload, useArrivingUpload } from './use-arriving-upload.ts';

type Props = {
  uploadId: string;
  name: string;
  /** Called once: the file is there, or was not fetched. Null: the upload was deleted. */
  onEnd?: (upload: ArrivingUpload | null) => void;
};

/** The progress of a file that the server fetches from a URL. */
export function ArrivingFile({ uploadId, name, onEnd }: Props) {
  const { upload, isGone } = useArrivingUpload(uploadId);
  const isOver = isGone || (upload !== null && upload.status !== 'RECEIVING');
  const notifyEnd = useEffectEvent(() => onEnd?.(upload));
  useEffect(() => {
    if (isOver) notifyEnd();
  }, [isOver]);
  if (isOver) return null;
  const { bytesReceived = null, size = null } = upload ?? {};
  const received = bytesReceived === null ? null : describeReceived(bytesReceived, size);
  const percent =
    bytesReceived === null || size === null ? null : (100 * bytesReceived) / Math.max(size, 1);
  return (
    <Paper withBorder p="sm">
      <Group justify="space-between" wrap="nowrap" mb={6}>
        <Text size="sm" truncate>
          Fetching {name}
        </Text>
        <Text size="sm" c="dimmed" className="numbers" style={{ flexShrink: 0 }}>
          {received}
        </Text>
      </Group>
      <Bar label={`Fetching ${name}`} percent={percent} />
      <span className="visually-hidden" role="status">
        {announce(name, percent)}
      </span>
    </Paper>
  );
}

/** A progress bar without a value is one whose end is not known. */
function Bar({ label, percent }: { label: string; percent: number | null }) {
  if (percent !== null) return <Progress value={percent} aria-label={label} />;
  return (
    <Progress.Root>
      <Progress.Section
        value={100}
        animated
        withAria={false}
        role="progressbar"
        aria-label={label}
      />
    </Progress.Root>
  );
}

/** Screen readers read each change aloud, so it changes in steps of 25 percent. */
function announce(name: string, percent: number | null): string {
  const step = percent === null ? 0 : Math.floor(percent / 25) * 25;
  return step === 0 ? `Fetching ${name}.` : `Fetching ${name}, ${step} percent.`;
}
