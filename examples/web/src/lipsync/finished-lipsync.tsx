import { Alert, Button, Group, Stack, Text } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import type { LipsyncCharge, LipsyncEvent, LipsyncFailure } from 'lipsync-graphql-client';
import { useState } from 'react';
import type { Draft } from '../form/draft.ts';
import { nameOf } from '../form/upload-name.ts';
import { Icon } from '../icon.tsx';
import { explainFailure } from '../text/explain.ts';
import { FailureNotice } from '../text/failure-notice.tsx';
import { badgeOf } from '../text/status.ts';
import type { Details } from './details.ts';
import { type DownloadOutcome, download } from './download.ts';
import { fileNameOf } from './file-name.ts';
import { MakeAgain } from './make-again.tsx';
import { describeCharge, describeEndWithoutVideo } from './status-text.ts';
import { isPlayable } from './video-preview.tsx';

export type FinishedSteps = {
  /** Selects the result as the source video in the form. */
  onUse: (video: { id: string; name: string }) => void;
  /** Moves the focus to that part of the form. */
  onChange: (part: 'VIDEO' | 'SPEECH') => void;
  onSignIn: () => void;
  /** Fills the form with the input of this lip-sync. */
  onAgain: (draft: Draft) => void;
};

type Props = FinishedSteps & { event: LipsyncEvent; details: Details | null };

export function FinishedLipsync({ event, details, ...steps }: Props) {
  const { status, failure, lipsync } = event;
  useDocumentTitle(`${badgeOf(status).label} · Lip-sync studio`);
  if (status === 'COMPLETED') return <Ready lipsync={lipsync} details={details} {...steps} />;
  return (
    <>
      {failure === null ? (
        <Alert color="gray" variant="light" title={badgeOf(status).label}>
          {describeEndWithoutVideo(event)}
        </Alert>
      ) : (
        <Failed failure={failure} charge={lipsync.charge} {...steps} />
      )}
      <Group gap="sm">
        <MakeAgain id={lipsync.id} onAgain={steps.onAgain} />
      </Group>
    </>
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

type ReadyProps = Pick<FinishedSteps, 'onUse' | 'onAgain'> & {
  lipsync: LipsyncEvent['lipsync'];
  details: Details | null;
};

function Ready({ lipsync, details, onUse, onAgain }: ReadyProps) {
  const { result, text, creditsCharged } = lipsync;
  const [downloaded, setDownloaded] = useState<DownloadOutcome | null>(null);
  if (!isPlayable(result)) {
    return (
      <>
        <Alert color="gray">{wasDeleted}</Alert>
        <Group gap="sm">
          <MakeAgain id={lipsync.id} onAgain={onAgain} />
        </Group>
      </>
    );
  }
  const save = async () => {
    const speech = details?.speechUpload ?? null;
    const name = fileNameOf(lipsync, speech === null ? null : nameOf(speech));
    // The address at the video service may have stopped working since this page was opened.
    setDownloaded(await download(result.permanentUrl ?? result.url, name));
  };
  return (
    <Stack gap="sm">
      <Text fw={600}>Your video is ready</Text>
      <Group gap="sm">
        <Button leftSection={<Icon name="download" />} onClick={() => void save()}>
          Download
        </Button>
        <Button
          variant="default"
          leftSection={<Icon name="film" />}
          onClick={() => onUse({ id: result.id, name: text ?? 'Last result' })}
        >
          Use as source video
        </Button>
        <MakeAgain id={lipsync.id} onAgain={onAgain} />
      </Group>
      <Text size="sm" role="status">
        {downloaded !== null && describeDownload[downloaded]}
      </Text>
      {creditsCharged !== null && (
        <Text size="sm" c="dimmed">
          {creditsCharged} credits charged
        </Text>
      )}
    </Stack>
  );
}

const wasDeleted = 'The video was deleted from the video service.';

const describeDownload: Record<DownloadOutcome, string> = {
  SAVED: '',
  OPENED: 'The video opens in a new tab. Save it from there.',
  GONE: wasDeleted,
};
