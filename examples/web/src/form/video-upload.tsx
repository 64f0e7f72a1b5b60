import { Group, Stack, Text } from '@mantine/core';
import { Icon } from '../icon.tsx';
import type { ChosenVideo } from './draft.ts';
import { FileArea } from './file-area.tsx';
import { UploadProgress } from './upload-progress.tsx';
import { useUpload } from './use-upload.ts';

type Props = {
  chosen: ChosenVideo | null;
  onChoose: (video: ChosenVideo) => void;
};

export function VideoUpload({ chosen, onChoose }: Props) {
  const upload = useUpload('VIDEO', ({ uploadId, name }) =>
    onChoose({ source: 'UPLOADED', id: uploadId, name }),
  );
  const uploaded = chosen?.source === 'UPLOADED' ? chosen.name : null;
  return (
    <Stack gap="sm" mt="md">
      <FileArea
        label={uploaded === null ? 'Upload a video' : 'Upload another video'}
        hint="MP4, MOV or WebM with one clearly visible face"
        accept="video/*,.mkv,.flv,.ts"
        onFile={upload.send}
      />
      <UploadProgress upload={upload} />
      {uploaded !== null && (
        <Group gap={6} wrap="nowrap" c="var(--mantine-primary-color-text)">
          <Icon name="check" />
          <Text size="sm" fw={600} truncate>
            {uploaded} is selected
          </Text>
        </Group>
      )}
    </Stack>
  );
}
