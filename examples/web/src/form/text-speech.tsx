import { Text, Textarea } from '@mantine/core';
import { type Change, countCharacters, type Draft, maxCharacters } from './draft.ts';
import { VoicePicker } from './voice-picker.tsx';

type Props = { draft: Draft; change: Change; problem: string | undefined };

/** Screen readers hear the count only below this many characters left. */
const announceBelow = 20;

export function TextSpeech({ draft: { text, voiceId }, change, problem }: Props) {
  const count = countCharacters(text);
  const left = maxCharacters - count;
  return (
    <>
      <div>
        <Textarea
          id="text"
          label="Text"
          placeholder="Welcome to our little shop. Have a look around!"
          autosize
          minRows={3}
          maxRows={8}
          value={text}
          onChange={({ currentTarget }) => change({ text: currentTarget.value })}
          error={problem}
          aria-describedby="text-count"
        />
        <Text
          id="text-count"
          size="sm"
          ta="right"
          mt={4}
          c={left < 0 ? 'var(--bad)' : 'dimmed'}
          fw={left < 0 ? 600 : undefined}
        >
          {count} of {maxCharacters} characters
        </Text>
        <Text className="visually-hidden" aria-live="polite">
          {left <= announceBelow && describeCharactersLeft(left)}
        </Text>
      </div>
      <VoicePicker voiceId={voiceId} onVoice={(id) => change({ voiceId: id })} />
    </>
  );
}

function describeCharactersLeft(left: number): string {
  return left < 0 ? `${-left} characters over the limit` : `${left} characters left`;
}
