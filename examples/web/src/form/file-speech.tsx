import { Stack } from '@mantine/core';
import { useState } from 'react';
import { toWav } from '../media/wav.ts';
import type { UploadedAudio } from './draft.ts';
import { FileArea } from './file-area.tsx';
import { UploadProgress } from './upload-progress.tsx';
import { AudioReady } from './uploaded-audio.tsx';
import { useUpload } from './use-upload.ts';

type Props = { audio: UploadedAudio | null; onAudio: (audio: UploadedAudio | null) => void };

/** The types that the video service accepts, by the names that browsers use. Others are converted to WAV. */
const acceptedTypes = /^audio\/(wav|wave|x-wav|vnd\.wave|mpeg|mp3|x-mp3)$/;

export function FileSpeech({ audio, onAudio }: Props) {
  const [playable, setPlayable] = useState<Blob | null>(null);
  const upload = useUpload('AUDIO', onAudio);

  const send = async (file: File) => {
    setPlayable(file);
    onAudio(null);
    if (acceptedTypes.test(file.type)) return upload.send(file);
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
        label={audio === null ? 'Choose an audio file' : 'Choose another file'}
        hint="Any format that your browser can play, up to 60 seconds"
        accept="audio/*"
        onFile={(file) => void send(file)}
      />
      <UploadProgress upload={upload} />
      {audio !== null && <AudioReady audio={audio} playable={playable} />}
    </Stack>
  );
}

const notPlayable = {
  title: 'Your browser cannot play this file',
  advice: 'Choose a WAV or MP3 file.',
  step: 'NOTHING',
} as const;
