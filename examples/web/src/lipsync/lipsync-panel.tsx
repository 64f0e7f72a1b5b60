import {
  Badge,
  Button,
  CloseButton,
  Group,
  Paper,
  Skeleton,
  Stack,
  Text,
  Title,
} from '@mantine/core';
import type { LipsyncEvent } from 'lipsync-graphql-client';
import { type FollowedLipsync, type LipsyncState, useLipsync } from 'lipsync-graphql-client/react';
import { type RefObject, useCallback, useEffect, useRef, useState } from 'react';
import { explainError, explainRefusal } from '../text/explain.ts';
import { FailureNotice } from '../text/failure-notice.tsx';
import { type Notice, noticeByCode } from '../text/notices.ts';
import { badgeOf } from '../text/status.ts';
import { CancelDialog } from './cancel-dialog.tsx';
import { type Details, useDetails } from './details.ts';
import { eventOf } from './event.ts';
import { FinishedLipsync, type FinishedSteps } from './finished-lipsync.tsx';
import classes from './lipsync-panel.module.css';
import { RunningLipsync } from './running-lipsync.tsx';
import { announceStatus } from './status-text.ts';
import { VideoPreview } from './video-preview.tsx';

type Props = FinishedSteps & {
  id: string;
  /** Whether `createLipsync` answered `OutcomeUnknownError`. */
  isOutcomeUnknown: boolean;
  /** Gets the focus when a lip-sync is created or opened. */
  heading: RefObject<HTMLHeadingElement | null>;
  onClose: () => void;
};

/** One lip-sync, live. It needs only the id, so it survives a reload. */
export function LipsyncPanel({ id, isOutcomeUnknown, heading, onClose, ...steps }: Props) {
  const followed = useLipsync(id);
  const { state } = followed;
  const details = useDetails(id);
  const event = eventOf(state);
  const badge = event === null ? null : badgeOf(event.status);
  return (
    <Paper component="section" aria-labelledby="lipsync" p={{ base: 'md', sm: 'xl' }} withBorder>
      <Group justify="space-between" wrap="nowrap" mb="md">
        <Group gap="sm">
          <Title order={2} size="h3" id="lipsync" ref={heading} tabIndex={-1}>
            Your lip-sync
          </Title>
          {badge !== null && (
            <Badge color={badge.color} variant="light">
              {badge.label}
            </Badge>
          )}
        </Group>
        <CloseButton aria-label="Close this lip-sync" onClick={onClose} />
      </Group>
      <div className={classes.halves}>
        <VideoPreview event={event} details={details} />
        <Stack gap="lg">
          {details !== null && <Speech text={details.text} voice={details.voice?.name ?? null} />}
          <WatchFailureNotice followed={followed} onSignIn={steps.onSignIn} />
          {isOutcomeUnknown && event?.status === 'SUBMITTING' && (
            <FailureNotice notice={noticeByCode.OUTCOME_UNKNOWN} />
          )}
          {state.kind === 'CONNECTING' && <Skeleton h={80} aria-hidden="true" />}
          {event !== null && (
            <RunningOrFinished
              key={id}
              event={event}
              details={details}
              heading={heading}
              steps={steps}
            />
          )}
        </Stack>
      </div>
      <div className="visually-hidden" role="status">
        {event !== null && announceStatus(event)}
      </div>
    </Paper>
  );
}

function Speech({ text, voice }: { text: string | null; voice: string | null }) {
  if (text === null) return <Text c="dimmed">The speech is an audio file.</Text>;
  return (
    <figure className={classes.quote}>
      <blockquote>
        <Text size="lg">“{text}”</Text>
      </blockquote>
      {voice !== null && (
        <figcaption>
          <Text size="sm" c="dimmed">
            Voice: {voice}
          </Text>
        </figcaption>
      )}
    </figure>
  );
}

type WatchFailureProps = { followed: FollowedLipsync; onSignIn: () => void };

/** Shown when no more updates arrive. */
function WatchFailureNotice({ followed, onSignIn }: WatchFailureProps) {
  const notice = noticeOf(followed.state);
  if (notice === null) return null;
  return (
    <FailureNotice
      notice={notice}
      steps={{
        TRY_AGAIN: { label: 'Try again', act: followed.retry },
        SIGN_IN: { label: 'Sign in', act: onSignIn },
      }}
    />
  );
}

function noticeOf(state: LipsyncState): Notice | null {
  if (state.kind === 'ERROR') return explainError(state.error);
  if (state.kind !== 'REFUSED') return null;
  const { failure } = state;
  if (failure.__typename !== 'NotFoundError') return explainRefusal(failure);
  return {
    title: 'Lip-sync not found',
    advice: 'It was deleted, or it belongs to another user.',
    step: 'NOTHING',
  };
}

type RunningOrFinishedProps = {
  event: LipsyncEvent;
  details: Details | null;
  heading: RefObject<HTMLHeadingElement | null>;
  steps: FinishedSteps;
};

function RunningOrFinished({ event, details, heading, steps }: RunningOrFinishedProps) {
  const [isDialogOpen, setDialogOpen] = useState(false);
  const wasDialogOpened = useRef(false);
  const { id, status } = event.lipsync;
  const running = !event.isFinal;
  // The dialog and the button that opened it disappear in any order, and the focus is lost with the last of them.
  const restoreFocus = useCallback(() => {
    if (!wasDialogOpened.current) return;
    setTimeout(() => {
      if (document.activeElement === document.body) heading.current?.focus();
    }, 50);
  }, [heading]);
  useEffect(() => {
    if (!running) restoreFocus();
  }, [running, restoreFocus]);
  const openDialog = () => {
    wasDialogOpened.current = true;
    setDialogOpen(true);
  };
  return (
    <>
      {running ? (
        <>
          <RunningLipsync event={event} details={details} />
          <Group>
            <Button variant="default" size="sm" onClick={openDialog}>
              Cancel…
            </Button>
          </Group>
        </>
      ) : (
        <FinishedLipsync event={event} details={details} {...steps} />
      )}
      <CancelDialog
        id={id}
        status={status}
        isOpen={isDialogOpen}
        onClose={() => setDialogOpen(false)}
        onClosed={restoreFocus}
      />
    </>
  );
}
