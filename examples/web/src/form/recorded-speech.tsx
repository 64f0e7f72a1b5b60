import { Alert, Button, Group, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { Icon } from '../icon.tsx';
import { mostSeconds, type Recording, useRecorder } from '../media/use-recorder.ts';
import { toWav } from '../media/wav.ts';
import { describeSeconds } from '../text/time.ts';
import type { SentSound } from './draft.ts';
import classes from './recorded-speech.module.css';
import { SoundReady } from './uploaded-audio.tsx';
import { UploadProgress } from './upload-progress.tsx';
import { useUpload } from './use-upload.ts';

type Props = { sound: SentSound | null; onSound: (sound: SentSound | null) => void };

export function RecordedSpeech({ sound, onSound }: Props) {
  const [heard, setHeard] = useState<Blob | null>(null);
  const upload = useUpload('AUDIO', onSound);
  const send = async (recorded: Blob) => {
    const wav = await toWav(recorded);
    setHeard(wav);
    upload.send(new File([wav], 'Your recording', { type: 'audio/wav' }));
  };
  const recorder = useRecorder((recorded) => void send(recorded));
  const { recording } = recorder;
  const start = () => {
    onSound(null);
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
            variant={sound === null ? 'filled' : 'default'}
            leftSection={<Icon name="microphone" />}
            loading={recording.kind === 'ASKING'}
            onClick={start}
          >
            {sound === null ? 'Record' : 'Record again'}
          </Button>
        )}
        <Length recording={recording} />
      </Group>
      {recording.kind === 'DENIED' && <Alert color="red">{recording.reason}</Alert>}
      <UploadProgress upload={upload} />
      {sound !== null && recording.kind === 'IDLE' && <SoundReady sound={sound} heard={heard} />}
    </Stack>
  );
}

function Length({ recording }: { recording: Recording }) {
  if (recording.kind !== 'RUNNING') {
    return (
      <Text size="sm" c="dimmed">
        Up to {mostSeconds} seconds
      </Text>
    );
  }
  const { seconds } = recording;
  return (
    <Group gap={8}>
      <span className={classes.dot} />
      <Text size="sm" fw={600} className={classes.time}>
        {describeSeconds(seconds)} of {describeSeconds(mostSeconds)}
      </Text>
      <span className="said-only" role="status">
        {seconds === 0 ? 'Recording' : ''}
      </span>
    </Group>
  );
}
