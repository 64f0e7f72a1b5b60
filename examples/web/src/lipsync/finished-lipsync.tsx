import { Alert, Button, Group, Stack, Text } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import type { LipsyncCharge, LipsyncEvent, LipsyncFailure } from 'lipsync-graphql-client';
import { Icon } from '../icon.tsx';
import { explainFailure } from '../text/explain.ts';
import { FailureNotice } from '../text/failure-notice.tsx';
import { badgeOf } from '../text/status.ts';
import { download } from './download.ts';
import { describeCharge, describeEndWithoutVideo } from './status-text.ts';
import { isPlayable } from './video-preview.tsx';

export type FinishedSteps = {
  /** Selects the result as the source video in the form. */
  onUse: (video: { id: string; name: string }) => void;
  /** Moves the focus to that part of the form. */
  onChange: (part: 'VIDEO' | 'SPEECH') => void;
  onSignIn: () => void;
};

export function FinishedLipsync({ event, ...steps }: FinishedSteps & { event: LipsyncEvent }) {
  const { status, failure, lipsync } = event;
  useDocumentTitle(`${badgeOf(status).label} · Lip-sync studio`);
  if (status === 'COMPLETED') return <Ready lipsync={lipsync} onUse={steps.onUse} />;
  if (failure !== null) return <Failed failure={failure} charge={lipsync.charge} {...steps} />;
  return (
    <Alert color="gray" variant="light" title={badgeOf(status).label}>
      {describeEndWithoutVideo(event)}
    </Alert>
  );
}

type FailedProps = FinishedSteps & { failure: LipsyncFailure; charge: LipsyncCharge };

function Failed({ failure, charge, onChange, onSignIn }: FailedProps) {
  const notice = explainFailure(failure);
  return (
    <FailureNotice
      notice={{ ...notice, advice: `${notice.advice} ${describeCharge(charge)}` }}
      steps={{
        CHANGE_SPEECH: { label: 'Change the speech', act: () => onChange('SPEECH') },
        CHOOSE_VIDEO: { label: 'Choose another video', act: () => onChange('VIDEO') },
        TRY_AGAIN: { label: 'Back to the form', act: () => onChange('SPEECH') },
        SIGN_IN: { label: 'Sign in', act: onSignIn },
      }}
    />
  );
}

function Ready({
  lipsync,
  onUse,
}: Pick<FinishedSteps, 'onUse'> & { lipsync: LipsyncEvent['lipsync'] }) {
  const { result, text, creditsCharged } = lipsync;
  if (!isPlayable(result)) {
    return <Alert color="gray">The video was deleted from the video service.</Alert>;
  }
  return (
    <Stack gap="sm">
      <Text fw={600}>Your video is ready</Text>
      <Group gap="sm">
        <Button
          leftSection={<Icon name="download" />}
          onClick={() => void download(result.url, 'lip-sync.mp4')}
        >
          Download
        </Button>
        <Button
          variant="default"
          leftSection={<Icon name="again" />}
          onClick={() => onUse({ id: result.id, name: text ?? 'Last result' })}
        >
          Use as source video
        </Button>
      </Group>
      {creditsCharged !== null && (
        <Text size="sm" c="dimmed">
          {creditsCharged} credits charged
        </Text>
      )}
    </Stack>
  );
}
