import { Button, Divider, Loader, Paper, Stack, Text, Title } from '@mantine/core';
import { type SubmitEvent, useState } from 'react';
import { Icon } from '../icon.tsx';
import { FailureNotice, type Steps } from '../text/failure-notice.tsx';
import { type Change, type Draft, inputOf, type Problems, problemsOf } from './draft.ts';
import { focusOn } from './focus.ts';
import { Options } from './options.tsx';
import { SpeechField } from './speech-field.tsx';
import { type Made, useMaking } from './use-create-lipsync.ts';
import { VideoPicker } from './video-picker.tsx';

type Props = {
  draft: Draft;
  change: Change;
  onMade: (made: Made) => void;
  onSignIn: () => void;
};

export function MakeForm({ draft, change, onMade, onSignIn }: Props) {
  const { making, make, dismiss } = useMaking(onMade);
  const [isChecked, setChecked] = useState(false);
  const problems: Problems = isChecked ? problemsOf(draft) : {};
  const isAsking = making.kind === 'ASKING';

  // The button is not disabled meanwhile: that would take the focus from under the keyboard.
  const submit = () => {
    if (isAsking) return;
    const found = problemsOf(draft);
    setChecked(true);
    if (found.video !== undefined) return focusOn('VIDEO');
    if (found.speech !== undefined) return focusOn('SPEECH');
    setChecked(false);
    make(inputOf(draft));
  };

  const steps: Steps = {
    TRY_AGAIN: { label: 'Try again', act: submit },
    SIGN_IN: { label: 'Sign in', act: onSignIn },
    CHOOSE_VIDEO: { label: 'Choose another video', act: () => focusOn('VIDEO') },
    CHANGE_SPEECH: {
      label: draft.speech === 'TEXT' ? 'Change the text' : 'Change what is said',
      act: () => focusOn('SPEECH'),
    },
  };

  return (
    <Paper component="section" aria-labelledby="make" p={{ base: 'md', sm: 'xl' }} withBorder>
      <form
        noValidate
        onSubmit={(event: SubmitEvent) => {
          event.preventDefault();
          submit();
        }}
      >
        <Stack gap="xl">
          <Title order={2} id="make" size="h3">
            Make a lip-sync
          </Title>
          <VideoPicker
            chosen={draft.video}
            problem={problems.video}
            onChoose={(video) => {
              dismiss();
              change({ video });
            }}
          />
          <Divider />
          <SpeechField draft={draft} change={change} problem={problems.speech} />
          <Options draft={draft} change={change} />
          {making.kind === 'FAILED' && <FailureNotice words={making.words} steps={steps} />}
          <Button
            type="submit"
            size="lg"
            aria-busy={isAsking}
            leftSection={
              isAsking ? <Loader size={18} color="currentColor" /> : <Icon name="film" />
            }
          >
            Make the video
          </Button>
          <Text className="said-only" role="status">
            {isAsking && 'Asking for the video.'}
          </Text>
        </Stack>
      </form>
    </Paper>
  );
}
