import { CloseButton, Group, Paper, Progress, Text } from '@mantine/core';
import { FailureNotice } from '../text/failure-notice.tsx';
import type { useUpload } from './use-upload.ts';

/** The progress of an upload, or the reason why it failed. */
export function UploadProgress({ upload }: { upload: ReturnType<typeof useUpload> }) {
  const { state, send, cancel } = upload;
  if (state.kind === 'IDLE') return null;
  if (state.kind === 'FAILED') {
    const { notice, file } = state;
    return (
      <FailureNotice
        notice={notice}
        steps={{ TRY_AGAIN: { label: 'Retry upload', act: () => send(file) } }}
      />
    );
  }
  const { name, percent } = state;
  return (
    <Paper withBorder p="sm">
      <Group justify="space-between" wrap="nowrap" mb={6}>
        <Text size="sm" truncate>
          Uploading {name}
        </Text>
        <CloseButton size="sm" aria-label={`Cancel the upload of ${name}`} onClick={cancel} />
      </Group>
      <Progress value={percent} aria-label={`Uploading ${name}`} />
    </Paper>
  );
}
