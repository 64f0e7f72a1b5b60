import { Stack } from '@mantine/core';
import { ArrivingFile } from './arriving-file.tsx';
import type { Change, ChosenVideo, Draft } from './draft.ts';
import { FileArea } from './file-area.tsx';
import { UploadProgress } from './upload-progress.tsx';
import { UrlField } from './url-field.tsx';
import type { ArrivingUpload } from './use-arriving-upload.ts';
import { useFileUpload } from './use-file-upload.ts';
import { useImport } from './use-import.ts';

type Props = { draft: Draft; change: Change; onChoose: (video: ChosenVideo) => void };

/** A video of this device, or one on the web. */
export function VideoUpload({ draft: { video, videoUrl }, change, onChoose }: Props) {
  const upload = useFileUpload('VIDEO', {
    onUploaded: ({ uploadId, name }) => onChoose({ source: 'UPLOADED', id: uploadId, name }),
  });
  const importing = useImport('VIDEO', ({ uploadId, name }) =>
    onChoose({ source: 'UPLOADED', id: uploadId, name, isArriving: true }),
  );
  const send = (file: File) => {
    importing.reset();
    upload.send(file);
  };
  const fetchUrl = () => {
    upload.cancel();
    importing.start(videoUrl);
  };
  const arriving = video?.isArriving === true ? video : null;
  const endImport = (arrived: ArrivingUpload | null) => {
    if (arriving === null) return;
    const { source, id, name } = arriving;
    if (arrived?.status === 'READY') return onChoose({ source, id, name });
    change({ video: null });
    importing.fail(arrived);
  };
  return (
    <Stack gap="sm" mt="md">
      <FileArea
        label={video?.source === 'UPLOADED' ? 'Upload another video' : 'Upload a video'}
        hint="MP4, MOV or WebM with one clearly visible face"
        accept="video/*,.mkv,.flv,.ts"
        onFile={send}
      />
      <UrlField
        label="Or the URL of a video"
        url={videoUrl}
        state={importing.state}
        onChange={(url) => change({ videoUrl: url })}
        onFetch={fetchUrl}
      />
      <UploadProgress upload={upload} />
      {arriving !== null && (
        <ArrivingFile
          key={arriving.id}
          uploadId={arriving.id}
          name={arriving.name}
          onEnd={endImport}
        />
      )}
    </Stack>
  );
}
