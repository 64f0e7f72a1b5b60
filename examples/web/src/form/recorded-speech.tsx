import { Alert, Button, Group, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { Icon } from '../icon.tsx';
import { useObjectUrl } from '../media/use-object-url.ts';
import { type Recording, useRecorder } from '../media/use-recorder.ts';
import { describeSeconds } from '../text/time.ts';
import type { UploadedAudio } from './draft.ts';
import { maxSeconds } from './part.ts';
import classes from './recorded-speech.module.css';
import { UploadProgress } from './upload-progress.tsx';
import { AudioReady } from './uploaded-audio.tsx';
import { useFileUpload } from './use-file-upload.ts';

type Props = { audio: UploadedAudio | null; onAudio: (audio: UploadedAudio | null) => void };

export function RecordedSpeech({ audio, onAudio }: Props) {
  const [playable, setPlayable] = useState<Blob | null>(null);
  const src = useObjectUrl(playable);
  const upload = useFileUpload('AUDIO', { onUploaded: onAudio });
  const recorder = useRecorder((recorded) => {
    setPlayable(recorded);
    const file = new File([recorded], 'Your recording', { type: recorded.type });
    // A timer ends the recording, so it can be some milliseconds too long.
    upload.send(file, { durationSeconds: maxSeconds });
  });
  const { recording } = recorder;
  const start = () => {
    upload.cancel();
    onAudio(null);
    recorder.start();
  };
  return (
    <Stack gap="sm">
      <Group className={classes.recorder} data-running={recording.kind === 'RUNNING'}>
        {recording.kind === 'RUNNING' ? (
          <Button
            color="red.9"
            leftSection={<Icon name="stop" size={14} />}
            onClick={recorder.stop}
          >
            Stop
          </Button>
        ) : (
          <Button
            variant={audio === null ? 'filled' : 'default'}
            leftSection={<Icon name="microphone" />}
            loading={recording.kind === 'REQUESTING'}
            onClick={start}
          >
            {audio === null ? 'Record' : 'Record again'}
          </Button>
        )}
        <RecordingTime recording={recording} />
      </Group>
      {recording.kind === 'DENIED' && <Alert color="red">{recording.reason}</Alert>}
      <UploadProgress upload={upload} />
      {audio !== null && recording.kind === 'IDLE' && (
        <AudioReady audio={audio} src={src} part={null} />
      )}
    </Stack>
  );
}

function RecordingTime({ recording }: { recording: Recording }) {
  if (recording.kind !== 'RUNNING') {
    return (
      <Text size="sm" c="dimmed">
        Up to {maxSeconds} seconds
      </Text>
    );
  }
  const { seconds } = recording;
  return (
    <Group gap={8}>
      <span className={classes.dot} />
      <Text size="sm" fw={600} className={classes.time}>
        {describeSeconds(seconds)} of {describeSeconds(maxSeconds)}
      </Text>
      <span className="visually-hidden" role="status">
        {seconds === 0 ? 'Recording' : ''}
      </span>
    </Group>
  );
}
