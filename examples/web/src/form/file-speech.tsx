import { Stack } from '@mantine/core';
import { useState } from 'react';
import { ArrivingFile } from './arriving-file.tsx';
import type { Change, Draft, UploadedAudio } from './draft.ts';
import { FileArea } from './file-area.tsx';
import type { LongSound } from './long-sound.ts';
import type { Clip } from './part.ts';
import { PartChooser } from './part-chooser.tsx';
import { UploadProgress } from './upload-progress.tsx';
import { AudioReady } from './uploaded-audio.tsx';
import { UrlField } from './url-field.tsx';
import { useChosenFile } from './use-chosen-file.ts';
import { useFetchedSound } from './use-fetched-sound.ts';

type Props = { draft: Draft; change: Change };

/** A file of this device, or one on the web. */
export function FileSpeech({ draft: { file: audio, audioUrl }, change }: Props) {
  const [long, setLong] = useState<LongSound | null>(null);
  const onAudio = (file: UploadedAudio | null) => change({ file });
  const chosen = useChosenFile({ onAudio, onLong: setLong });
  const fetched = useFetchedSound({ url: audioUrl, audio, onAudio, onLong: setLong });

  const clear = () => {
    onAudio(null);
    setLong(null);
    chosen.clear();
    fetched.reset();
  };
  const choose = (file: File) => {
    clear();
    void chosen.choose(file);
  };
  const fetchUrl = (part: Clip | null) => {
    clear();
    fetched.fetch(part);
  };
  const sendPart = (part: Clip) => {
    if (long?.from !== 'FILE') return fetchUrl(part);
    setLong(null);
    chosen.send(long.file, part);
  };

  return (
    <Stack gap="sm">
      <FileArea
        label={audio === null ? 'Choose an audio file' : 'Choose another file'}
        hint="MP3, WAV, M4A, OGG, WebM, FLAC and others. If it is longer than 60 seconds, you choose a part."
        accept="audio/*,.m4a,.caf,.aiff,.opus,.flac,.webm,.mp4"
        onFile={choose}
      />
      <UrlField
        label="Or the URL of an audio file"
        url={audioUrl}
        state={fetched.state}
        onChange={(url) => change({ audioUrl: url })}
        onFetch={() => fetchUrl(null)}
      />
      <UploadProgress upload={chosen.upload} />
      {long !== null && <LongSoundPart long={long} fileUrl={chosen.src} onUse={sendPart} />}
      {audio?.isArriving === true && (
        <ArrivingFile
          key={audio.uploadId}
          uploadId={audio.uploadId}
          name={audio.name}
          onEnd={fetched.end}
        />
      )}
      {audio !== null && audio.isArriving !== true && (
        <AudioReady audio={audio} src={chosen.src} part={chosen.part} />
      )}
    </Stack>
  );
}

type LongSoundProps = {
  long: LongSound;
  fileUrl: string | null;
  onUse: (part: Clip) => void;
};

/** A new one for each sound: it begins at the start. */
function LongSoundPart({ long, fileUrl, onUse }: LongSoundProps) {
  const src = long.from === 'FILE' ? fileUrl : long.url;
  return <PartChooser key={src} name={long.name} seconds={long.seconds} src={src} onUse={onUse} />;
}
