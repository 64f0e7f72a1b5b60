import { Alert, Button, Group, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { Icon } from '../icon.tsx';
import { maxSeconds, type Recording, useRecorder } from '../media/use-recorder.ts';
import { toWav } from '../media/wav.ts';
import { describeSeconds } from '../text/time.ts';
import type { UploadedAudio } from './draft.ts';
import classes from './recorded-speech.module.css';
import { UploadProgress } from './upload-progress.tsx';
import { AudioReady } from './uploaded-audio.tsx';
import { useUpload } from './use-upload.ts';

type Props = { audio: UploadedAudio | null; onAudio: (audio: UploadedAudio | null) => void };

export function RecordedSpeech({ audio, onAudio }: Props) {
  const [playable, setPlayable] = useState<Blob | null>(null);
  const upload = useUpload('AUDIO', onAudio);
  const send = async (recorded: Blob) => {
    const wav = await toWav(recorded);
    setPlayable(wav);
    upload.send(new File([wav], 'Your recording', { type: 'audio/wav' }));
  };
  const recorder = useRecorder((recorded) => void send(recorded));
  const { recording } = recorder;
  const start = () => {
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
        <AudioReady audio={audio} playable={playable} />
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
