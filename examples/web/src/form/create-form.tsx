import { Button, Divider, Loader, Paper, Stack, Text, Title } from '@mantine/core';
import { type SubmitEvent, useState } from 'react';
import { Icon } from '../icon.tsx';
import { FailureNotice, type NextSteps } from '../text/failure-notice.tsx';
import { type Change, type Draft, inputOf, type Problems, problemsOf } from './draft.ts';
import { focusPart } from './focus.ts';
import { Options } from './options.tsx';
import { RemainingLipsyncs } from './remaining-lipsyncs.tsx';
import { SpeechField } from './speech-field.tsx';
import { type CreatedLipsync, useCreateLipsync } from './use-create-lipsync.ts';
import { VideoPicker } from './video-picker.tsx';

type Props = {
  draft: Draft;
  change: Change;
  /** Each new value makes the limits refetch. */
  revision: number;
  onCreated: (created: CreatedLipsync) => void;
  onSignIn: () => void;
  /** What has filled in the form. */
  announcement: string | null;
};

export function CreateForm({ draft, change, revision, onCreated, onSignIn, announcement }: Props) {
  const { isSending, notice, create, dismiss } = useCreateLipsync(onCreated);
  const [isChecked, setChecked] = useState(false);
  const problems: Problems = isChecked ? problemsOf(draft) : {};

  // The button stays enabled while sending: a disabled button would lose the keyboard focus.
  const submit = () => {
    if (isSending) return;
    const found = problemsOf(draft);
    setChecked(true);
    if (found.video !== undefined) return focusPart('VIDEO');
    if (found.speech !== undefined) return focusPart('SPEECH');
    setChecked(false);
    create(inputOf(draft));
  };

  const steps: NextSteps = {
    TRY_AGAIN: { label: 'Try again', act: submit },
    SIGN_IN: { label: 'Sign in', act: onSignIn },
    CHOOSE_VIDEO: { label: 'Choose another video', act: () => focusPart('VIDEO') },
    CHANGE_SPEECH: {
      label: draft.speech === 'TEXT' ? 'Edit the text' : 'Change the speech',
      act: () => focusPart('SPEECH'),
    },
  };

  return (
    <Paper component="section" aria-labelledby="create" p={{ base: 'md', sm: 'xl' }} withBorder>
      <form
        noValidate
        onSubmit={(event: SubmitEvent) => {
          event.preventDefault();
          submit();
        }}
      >
        <Stack gap="xl">
          <Title order={2} id="create" size="h3">
            Create a lip-sync
          </Title>
          {announcement !== null && (
            <Text size="sm" c="dimmed" role="status">
              {announcement}
            </Text>
          )}
          <VideoPicker
            draft={draft}
            change={change}
            problem={problems.video}
            onChoose={(video) => {
              dismiss();
              change({ video, videoNote: null });
            }}
          />
          <Divider />
          <SpeechField draft={draft} change={change} problem={problems.speech} />
          <Options draft={draft} change={change} />
          <RemainingLipsyncs revision={revision} />
          {notice !== null && <FailureNotice notice={notice} steps={steps} />}
          <Button
            type="submit"
            size="lg"
            aria-busy={isSending}
            leftSection={
              isSending ? <Loader size={18} color="currentColor" /> : <Icon name="film" />
            }
          >
            Create video
          </Button>
          <Text className="visually-hidden" role="status">
            {isSending && 'Sending the request.'}
          </Text>
        </Stack>
      </form>
    </Paper>
  );
}
