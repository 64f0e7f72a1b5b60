import type { UploadedAudio } from './draft.ts';
import { isTooLong } from './import-notice.ts';
import type { LongSound } from './long-sound.ts';
import type { Clip } from './part.ts';
import type { ArrivingUpload } from './use-arriving-upload.ts';
import { useImport } from './use-import.ts';

type Sound = {
  url: string;
  audio: UploadedAudio | null;
  onAudio: (audio: UploadedAudio | null) => void;
  onLong: (long: LongSound) => void;
};

/** An audio file on the web, which the server fetches. It may turn out to be too long. */
export function useFetchedSound({ url, audio, onAudio, onLong }: Sound) {
  const importing = useImport('AUDIO', (started) =>
    onAudio({ ...started, seconds: null, isArriving: true }),
  );
  return {
    state: importing.state,
    fetch: (part: Clip | null) => importing.start(url, part ?? undefined),
    reset: importing.reset,
    end(arrived: ArrivingUpload | null) {
      if (audio === null) return;
      const { uploadId, name } = audio;
      if (arrived?.status === 'READY') {
        return onAudio({ uploadId, name, seconds: arrived.durationSeconds });
      }
      onAudio(null);
      if (isTooLong(arrived)) onLong({ from: 'URL', url: url.trim(), name, seconds: null });
      else importing.fail(arrived);
    },
  };
}
