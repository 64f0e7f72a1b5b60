import { Input, SegmentedControl, Stack } from '@mantine/core';
import type { Change, Draft, SpeechKind } from './draft.ts';
import { FileSpeech } from './file-speech.tsx';
import { RecordedSpeech } from './recorded-speech.tsx';
import { TextSpeech } from './text-speech.tsx';
import classes from './video-picker.module.css';

const kinds: { value: SpeechKind; label: string }[] = [
  { value: 'TEXT', label: 'Type' },
  { value: 'FILE', label: 'Upload' },
  { value: 'RECORDING', label: 'Record' },
];

type Props = { draft: Draft; change: Change; problem: string | undefined };

/** What is said: a text, a file, or what the microphone hears. */
export function SpeechField({ draft, change, problem }: Props) {
  const { speech } = draft;
  return (
    <fieldset className={classes.field}>
      <legend className={classes.legend}>What is said?</legend>
      <Stack gap="md">
        <SegmentedControl
          aria-label="How it is said"
          fullWidth
          data={kinds}
          value={speech}
          onChange={(kind) => change({ speech: kind })}
        />
        {speech === 'TEXT' && <TextSpeech draft={draft} change={change} problem={problem} />}
        {speech === 'FILE' && (
          <FileSpeech sound={draft.file} onSound={(file) => change({ file })} />
        )}
        {speech === 'RECORDING' && (
          <RecordedSpeech sound={draft.recording} onSound={(recording) => change({ recording })} />
        )}
        {speech !== 'TEXT' && problem !== undefined && (
          <Input.Error size="sm" role="alert">
            {problem}
          </Input.Error>
        )}
      </Stack>
    </fieldset>
  );
}
