import { Group, Paper, Text } from '@mantine/core';
import { useEffect, useState } from 'react';
import { Icon } from '../icon.tsx';
import { describeSeconds } from '../text/time.ts';
import type { SentSound } from './draft.ts';

/** The server has it. After a reload it can't be heard any more, but still be used. */
export function SoundReady({ sound, heard }: { sound: SentSound; heard: Blob | null }) {
  const url = useObjectUrl(heard);
  const { name, seconds } = sound;
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
        // biome-ignore lint/a11y/useMediaCaption: what somebody has just said is no news to them.
        <audio src={url} controls aria-label={`Listen to ${name}`} className="sound" />
      )}
    </Paper>
  );
}

function useObjectUrl(blob: Blob | null): string | null {
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    if (blob === null) return;
    const made = URL.createObjectURL(blob);
    setUrl(made);
    return () => {
      setUrl(null);
      URL.revokeObjectURL(made);
    };
  }, [blob]);
  return url;
}
