import { CloseButton, Group, Paper, Progress, Text } from '@mantine/core';
import { FailureNotice } from '../text/failure-notice.tsx';
import type { FileUpload } from './use-file-upload.ts';

/** The progress of an upload, or the reason why it failed. */
export function UploadProgress({ upload }: { upload: FileUpload }) {
  const { state, notice, retry, cancel } = upload;
  if (notice !== null) {
    return (
      <FailureNotice notice={notice} steps={{ TRY_AGAIN: { label: 'Retry upload', act: retry } }} />
    );
  }
  if (state.kind !== 'UPLOADING') return null;
  const { name } = state.file;
  return (
    <Paper withBorder p="sm">
      <Group justify="space-between" wrap="nowrap" mb={6}>
        <Text size="sm" truncate role="status">
          Uploading {name}
        </Text>
        <CloseButton size="sm" aria-label={`Cancel the upload of ${name}`} onClick={cancel} />
      </Group>
      <Progress value={state.percent ?? 0} aria-label={`Uploading ${name}`} />
    </Paper>
  );
}
