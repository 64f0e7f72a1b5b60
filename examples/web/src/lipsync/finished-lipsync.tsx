import { Alert, Button, Group, Stack, Text } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import type { LipsyncEvent, LipsyncFailure } from 'lipsync-graphql-client';
import { Icon } from '../icon.tsx';
import { explainFailure } from '../text/explain.ts';
import { FailureNotice } from '../text/failure-notice.tsx';
import { lookOf } from '../text/status.ts';
import { download } from './download.ts';
import { describeEndWithoutVideo } from './status-text.ts';
import { isPlayable } from './video-preview.tsx';

export type EndSteps = {
  /** Makes it the video whose person speaks next. */
  onUse: (video: { id: string; name: string }) => void;
  /** Back to the form, to this part of it. */
  onChange: (part: 'VIDEO' | 'SPEECH') => void;
  onSignIn: () => void;
};

export function Ended({ event, ...steps }: EndSteps & { event: LipsyncEvent }) {
  const { status, failure, lipsync } = event;
  useDocumentTitle(`${lookOf(status).label} · Lip-sync studio`);
  if (status === 'COMPLETED') return <Ready lipsync={lipsync} onUse={steps.onUse} />;
  if (failure !== null) return <Failed failure={failure} {...steps} />;
  return (
    <Alert color="gray" variant="light" title={lookOf(status).label}>
      {describeEndWithoutVideo(status, lipsync.submittedAt)}
    </Alert>
  );
}

function Failed({ failure, onChange, onSignIn }: EndSteps & { failure: LipsyncFailure }) {
  return (
    <FailureNotice
      words={explainFailure(failure)}
      steps={{
        CHANGE_SPEECH: { label: 'Change what is said', act: () => onChange('SPEECH') },
        CHOOSE_VIDEO: { label: 'Choose another video', act: () => onChange('VIDEO') },
        TRY_AGAIN: { label: 'Back to the form', act: () => onChange('SPEECH') },
        SIGN_IN: { label: 'Sign in', act: onSignIn },
      }}
    />
  );
}

function Ready({ lipsync, onUse }: Pick<EndSteps, 'onUse'> & { lipsync: LipsyncEvent['lipsync'] }) {
  const { result, text, creditsCharged } = lipsync;
  if (!isPlayable(result)) {
    return <Alert color="gray">The video was deleted at the video service meanwhile.</Alert>;
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
          onClick={() => onUse({ id: result.id, name: text ?? 'The last result' })}
        >
          Let it speak again
        </Button>
      </Group>
      {creditsCharged !== null && (
        <Text size="sm" c="dimmed">
          {creditsCharged} credits were charged.
        </Text>
      )}
    </Stack>
  );
}
