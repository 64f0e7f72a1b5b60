import { Button, Group, Paper, Stack, Text, TextInput } from '@mantine/core';
import { useId, useState } from 'react';
import { Icon } from '../icon.tsx';
import { usePartPlayer } from '../media/use-part-player.ts';
import { describeSeconds } from '../text/time.ts';
import { type Clip, limitPart, maxSeconds, minPartSeconds } from './part.ts';
import classes from './part-chooser.module.css';

type Props = {
  name: string;
  /** Of the whole sound; null if the browser must find out. */
  seconds: number | null;
  /** What the browser plays. Null while there is none. */
  src: string | null;
  onUse: (part: Clip) => void;
};

/** Chooses the part of a sound that is longer than a lip-sync can be. */
export function PartChooser({ name, seconds: measured, src, onUse }: Props) {
  const { seconds, part, start, setStart, length, setLength, readLength } = usePart(measured);
  const { startSeconds, durationSeconds } = part;
  const player = usePartPlayer(part);
  const headingId = useId();
  return (
    <Paper withBorder p="sm" component="section" aria-labelledby={headingId}>
      <Stack gap="sm">
        <Text size="sm" fw={600} id={headingId} role="status">
          {seconds === null
            ? `${name} is longer than ${maxSeconds} seconds. Choose a part.`
            : `${name} has ${describeSeconds(seconds)}. Choose a part of at most ${maxSeconds} seconds.`}
        </Text>
        {seconds !== null && (
          <input
            type="range"
            className={classes.slider}
            aria-label="Start of the part"
            aria-valuetext={`${startSeconds} seconds`}
            min={0}
            max={Math.max(0, seconds - minPartSeconds)}
            step={0.1}
            value={startSeconds}
            onChange={({ currentTarget }) => setStart(currentTarget.value)}
          />
        )}
        <Group gap="sm" grow>
          <SecondsField
            label="Start, in seconds"
            text={start}
            onText={setStart}
            onLeave={() => setStart(String(startSeconds))}
          />
          <SecondsField
            label="Length, in seconds"
            text={length}
            onText={setLength}
            onLeave={() => setLength(String(durationSeconds))}
          />
        </Group>
        <Text size="sm" c="dimmed" className="numbers">
          From {describeSeconds(startSeconds)} to {describeSeconds(startSeconds + durationSeconds)}
          {seconds !== null && ` of ${describeSeconds(seconds)}`}
        </Text>
        {src !== null && (
          <audio
            src={src}
            onLoadedMetadata={({ currentTarget }) => readLength(currentTarget)}
            {...player.props}
          />
        )}
        <Group gap="sm">
          <Button size="sm" onClick={() => onUse(part)}>
            Use this part
          </Button>
          {src !== null && player.isPlayable && (
            <Button
              size="sm"
              variant="default"
              leftSection={<Icon name={player.isPlaying ? 'stop' : 'play'} size={13} />}
              onClick={player.toggle}
            >
              {player.isPlaying ? 'Stop' : 'Play this part'}
            </Button>
          )}
        </Group>
        {!player.isPlayable && (
          <Text size="sm" c="dimmed">
            Your browser cannot play this file. The server can still use it.
          </Text>
        )}
      </Stack>
    </Paper>
  );
}

/** The fields, and the part that they stand for. */
function usePart(measured: number | null) {
  const [start, setStart] = useState('0');
  const [length, setLength] = useState(String(maxSeconds));
  const [loaded, setLoaded] = useState<number | null>(null);
  const seconds = measured ?? loaded;
  const part = limitPart(
    { startSeconds: read(start, 0), durationSeconds: read(length, maxSeconds) },
    seconds,
  );
  return {
    seconds,
    part,
    start,
    setStart,
    length,
    setLength,
    readLength({ duration }: HTMLAudioElement) {
      if (Number.isFinite(duration)) setLoaded(duration);
    },
  };
}

type SecondsFieldProps = {
  label: string;
  text: string;
  onText: (text: string) => void;
  /** The field then shows what is used. */
  onLeave: () => void;
};

function SecondsField({ label, text, onText, onLeave }: SecondsFieldProps) {
  return (
    <TextInput
      label={label}
      inputMode="decimal"
      autoComplete="off"
      value={text}
      onChange={({ currentTarget }) => onText(currentTarget.value)}
      onBlur={onLeave}
    />
  );
}

/** Also with a decimal comma. */
function read(text: string, otherwise: number): number {
  const value = Number(text.replace(',', '.'));
  return text.trim() === '' || !Number.isFinite(value) ? otherwise : value;
}
