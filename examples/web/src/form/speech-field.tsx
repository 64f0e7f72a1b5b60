import { Alert, Input, SegmentedControl, Stack } from '@mantine/core';
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

/** The speech: a text, an audio file, or a recording. */
export function SpeechField({ draft, change, problem }: Props) {
  const { speech } = draft;
  return (
    <fieldset className={classes.field}>
      <legend className={classes.legend}>Speech</legend>
      <Stack gap="md">
        <SegmentedControl
          aria-label="Speech source"
          fullWidth
          data={kinds}
          value={speech}
          onChange={(kind) => change({ speech: kind, speechNote: null })}
        />
        {draft.speechNote !== null && (
          <Alert color="orange" role="status">
            {draft.speechNote}
          </Alert>
        )}
        {speech === 'TEXT' && <TextSpeech draft={draft} change={change} problem={problem} />}
        {speech === 'FILE' && <FileSpeech draft={draft} change={change} />}
        {speech === 'RECORDING' && (
          <RecordedSpeech audio={draft.recording} onAudio={(recording) => change({ recording })} />
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
