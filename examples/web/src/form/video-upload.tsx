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
  const own = chosen?.source === 'UPLOADED' ? chosen.name : null;
  return (
    <Stack gap="sm" mt="md">
      <FileArea
        label={own === null ? 'Or upload your own' : 'Upload another one'}
        hint="MP4, MOV or WebM, with one face that is seen well"
        accept="video/*,.mkv,.flv,.ts"
        onFile={upload.send}
      />
      <UploadProgress upload={upload} />
      {own !== null && (
        <Group gap={6} wrap="nowrap" c="var(--mantine-primary-color-text)">
          <Icon name="check" />
          <Text size="sm" fw={600} truncate>
            {own} speaks
          </Text>
        </Group>
      )}
    </Stack>
  );
}
