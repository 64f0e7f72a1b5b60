import { useRef, useState } from 'react';
import { measureSeconds } from '../media/measure.ts';
import { useObjectUrl } from '../media/use-object-url.ts';
import type { UploadedAudio } from './draft.ts';
import type { LongSound } from './long-sound.ts';
import { type Clip, maxSeconds } from './part.ts';
import { useFileUpload } from './use-file-upload.ts';

type Listeners = {
  onAudio: (audio: UploadedAudio) => void;
  onLong: (long: LongSound) => void;
};

/** An audio file of this device. It is uploaded at once, unless a part of it must be chosen first. */
export function useChosenFile({ onAudio, onLong }: Listeners) {
  const [played, setPlayed] = useState<{ file: File; part: Clip | null } | null>(null);
  const current = useRef<File | null>(null);
  const reportLong = (file: File, seconds: number | null) =>
    onLong({ from: 'FILE', file, name: file.name, seconds });

  const upload = useFileUpload('AUDIO', {
    onUploaded: onAudio,
    // This browser could not tell before.
    onTooLong: (file) => reportLong(file, null),
  });

  const send = (file: File, part: Clip | null) => {
    current.current = file;
    setPlayed({ file, part });
    upload.send(file, part ?? undefined);
  };
  return {
    upload,
    /** For an `audio` element; null without a file. */
    src: useObjectUrl(played?.file ?? null),
    part: played?.part ?? null,
    send,
    async choose(file: File): Promise<void> {
      current.current = file;
      setPlayed({ file, part: null });
      const seconds = await measureSeconds(file);
      // Another file was chosen meanwhile.
      if (current.current !== file) return;
      if (seconds !== null && seconds > maxSeconds) reportLong(file, seconds);
      else send(file, null);
    },
    clear() {
      current.current = null;
      setPlayed(null);
      upload.cancel();
    },
  };
}
