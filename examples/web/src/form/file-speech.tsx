import { Stack } from '@mantine/core';
import { useState } from 'react';
import { toWav } from '../media/wav.ts';
import type { SentSound } from './draft.ts';
import { FileArea } from './file-area.tsx';
import { SoundReady } from './uploaded-audio.tsx';
import { UploadProgress } from './upload-progress.tsx';
import { useUpload } from './use-upload.ts';

type Props = { sound: SentSound | null; onSound: (sound: SentSound | null) => void };

/** What the video service takes as it is, by the names that browsers have for it. */
const taken = /^audio\/(wav|wave|x-wav|vnd\.wave|mpeg|mp3|x-mp3)$/;

export function FileSpeech({ sound, onSound }: Props) {
  const [heard, setHeard] = useState<Blob | null>(null);
  const upload = useUpload('AUDIO', onSound);

  const send = async (file: File) => {
    setHeard(file);
    onSound(null);
    if (taken.test(file.type)) return upload.send(file);
    try {
      const name = `${file.name.replace(/\.[^.]*$/, '')}.wav`;
      upload.send(new File([await toWav(file)], name, { type: 'audio/wav' }));
    } catch {
      upload.fail(notPlayable, file);
    }
  };

  return (
    <Stack gap="sm">
      <FileArea
        label={sound === null ? 'Choose an audio file' : 'Choose another one'}
        hint="Any kind that your browser can play, up to 60 seconds"
        accept="audio/*"
        onFile={(file) => void send(file)}
      />
      <UploadProgress upload={upload} />
      {sound !== null && <SoundReady sound={sound} heard={heard} />}
    </Stack>
  );
}

const notPlayable = {
  title: 'This browser can not read the file',
  advice: 'Choose a WAV or an MP3.',
  step: 'NOTHING',
} as const;
