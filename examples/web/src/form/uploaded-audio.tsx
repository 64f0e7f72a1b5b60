import { Group, Paper, Text } from '@mantine/core';
import { useEffect, useState } from 'react';
import { Icon } from '../icon.tsx';
import { describeSeconds } from '../text/time.ts';
import type { UploadedAudio } from './draft.ts';

/** An uploaded audio file. After a reload it can still be used, but no longer be played. */
export function AudioReady({ audio, playable }: { audio: UploadedAudio; playable: Blob | null }) {
  const url = useObjectUrl(playable);
  const { name, seconds } = audio;
  return (
    <Paper withBorder p="sm">
      <Group gap={6} wrap="nowrap" c="var(--mantine-primary-color-text)">
        <Icon name="check" />
        <Text size="sm" fw={600} truncate>
          {name}
          {seconds !== null && `, ${describeSeconds(seconds)}`}
        </Text>
      </Group>
      {url !== null && (
        // biome-ignore lint/a11y/useMediaCaption: users hear their own recording or file, without a transcript.
        <audio src={url} controls aria-label={`Listen to ${name}`} className="audio-player" />
      )}
    </Paper>
  );
}

function useObjectUrl(blob: Blob | null): string | null {
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    if (blob === null) return;
    const objectUrl = URL.createObjectURL(blob);
    setUrl(objectUrl);
    return () => {
      setUrl(null);
      URL.revokeObjectURL(objectUrl);
    };
  }, [blob]);
  return url;
}
