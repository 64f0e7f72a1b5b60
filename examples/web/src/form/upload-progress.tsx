import { CloseButton, Group, Paper, Progress, Text } from '@mantine/core';
import { FailureNotice } from '../text/failure-notice.tsx';
import type { useUpload } from './use-upload.ts';

/** A file on its way, or why it did not arrive. */
export function UploadProgress({ upload }: { upload: ReturnType<typeof useUpload> }) {
  const { uploading, send, stop } = upload;
  if (uploading.kind === 'IDLE') return null;
  if (uploading.kind === 'FAILED') {
    const { words, file } = uploading;
    return (
      <FailureNotice
        words={words}
        steps={{ TRY_AGAIN: { label: 'Send it again', act: () => send(file) } }}
      />
    );
  }
  const { name, percent } = uploading;
  return (
    <Paper withBorder p="sm">
      <Group justify="space-between" wrap="nowrap" mb={6}>
        <Text size="sm" truncate>
          Sending {name}
        </Text>
        <CloseButton size="sm" aria-label={`Stop sending ${name}`} onClick={stop} />
      </Group>
      <Progress value={percent} aria-label={`Sending ${name}`} />
    </Paper>
  );
}
