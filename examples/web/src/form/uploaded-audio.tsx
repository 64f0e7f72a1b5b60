import { Group, Paper, Text } from '@mantine/core';
import { Icon } from '../icon.tsx';
import { describeSeconds } from '../text/time.ts';
import type { UploadedAudio } from './draft.ts';
import type { Clip } from './part.ts';

type Props = {
  audio: UploadedAudio;
  /** The file in this browser. Null after a reload: it can still be used, but no longer be played. */
  src: string | null;
  /** What is used of the file; null = all. */
  part: Clip | null;
};

/** An audio file that the server has received. */
export function AudioReady({ audio: { name, seconds }, src, part }: Props) {
  return (
    <Paper withBorder p="sm">
      <Group gap={6} wrap="nowrap" c="var(--mantine-primary-color-text)">
        <Icon name="check" />
        <Text size="sm" fw={600} truncate role="status">
          {name}
          {seconds !== null && `, ${describeSeconds(seconds)}`}
          {part !== null && `, from ${describeSeconds(part.startSeconds)}`}
        </Text>
      </Group>
      {src !== null && (
        // biome-ignore lint/a11y/useMediaCaption: users hear their own recording or file, without a transcript.
        <audio
          src={part === null ? src : `${src}#t=${part.startSeconds},${endOf(part)}`}
          controls
          aria-label={`Listen to ${name}`}
          className="audio-player"
        />
      )}
    </Paper>
  );
}

function endOf({ startSeconds, durationSeconds }: Clip): number {
  return startSeconds + durationSeconds;
}
