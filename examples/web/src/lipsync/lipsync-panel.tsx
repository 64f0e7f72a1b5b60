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
import { type RefObject, useCallback, useEffect, useRef, useState } from 'react';
import { useSession } from '../session/session.tsx';
import { explain, explainThrown } from '../text/explain.ts';
import { FailureNotice } from '../text/failure-notice.tsx';
import { type Words, wordsByCode } from '../text/notices.ts';
import { isRunning, lookOf } from '../text/status.ts';
import { CancelDialog } from './cancel-dialog.tsx';
import { useDetails } from './details.ts';
import { Ended, type EndSteps } from './finished-lipsync.tsx';
import classes from './lipsync-panel.module.css';
import { announce } from './status-text.ts';
import { Running } from './running-lipsync.tsx';
import { Stage } from './video-preview.tsx';
import { useLipsync } from './use-lipsync.ts';
import { eventOf, type Watched } from './lipsync-store.ts';

type Props = EndSteps & {
  id: string;
  /** Nobody knew whether the video service had taken it when it was asked for. */
  isUnclear: boolean;
  /** Takes the focus when a lip-sync has been made or opened. */
  heading: RefObject<HTMLHeadingElement | null>;
  onClose: () => void;
};

/** One lip-sync, live. It needs the id alone, and so a reload changes nothing. */
export function LipsyncPanel({ id, isUnclear, heading, onClose, ...steps }: Props) {
  const watched = useLipsync(id);
  const details = useDetails(id);
  const event = eventOf(watched);
  const look = event === null ? null : lookOf(event.status);
  return (
    <Paper component="section" aria-labelledby="lipsync" p={{ base: 'md', sm: 'xl' }} withBorder>
      <Group justify="space-between" wrap="nowrap" mb="md">
        <Group gap="sm">
          <Title order={2} size="h3" id="lipsync" ref={heading} tabIndex={-1}>
            Your lip-sync
          </Title>
          {look !== null && (
            <Badge color={look.color} variant="light">
              {look.label}
            </Badge>
          )}
        </Group>
        <CloseButton aria-label="Close this lip-sync" onClick={onClose} />
      </Group>
      <div className={classes.halves}>
        <Stage event={event} details={details} />
        <Stack gap="lg">
          {details !== null && <Said text={details.text} by={details.voice?.name ?? null} />}
          <Broken id={id} watched={watched} onSignIn={steps.onSignIn} />
          {isUnclear && event?.status === 'SUBMITTING' && (
            <FailureNotice words={wordsByCode.OUTCOME_UNKNOWN} />
          )}
          {watched.kind === 'OPENING' && <Skeleton h={80} aria-hidden="true" />}
          {event !== null && <Now key={id} event={event} heading={heading} steps={steps} />}
        </Stack>
      </div>
      <div className="said-only" role="status">
        {event !== null && announce(event)}
      </div>
    </Paper>
  );
}

function Said({ text, by }: { text: string | null; by: string | null }) {
  if (text === null) return <Text c="dimmed">Says what was recorded.</Text>;
  return (
    <figure className={classes.quote}>
      <blockquote>
        <Text size="lg">“{text}”</Text>
      </blockquote>
      {by !== null && (
        <figcaption>
          <Text size="sm" c="dimmed">
            Voice: {by}
          </Text>
        </figcaption>
      )}
    </figure>
  );
}

type BrokenProps = { id: string; watched: Watched; onSignIn: () => void };

/** Why nothing more is told of it. */
function Broken({ id, watched, onSignIn }: BrokenProps) {
  const { watching } = useSession();
  const words = wordsOf(watched);
  if (words === null) return null;
  return (
    <FailureNotice
      words={words}
      steps={{
        TRY_AGAIN: { label: 'Try again', act: () => watching.retry(id) },
        SIGN_IN: { label: 'Sign in', act: onSignIn },
      }}
    />
  );
}

function wordsOf(watched: Watched): Words | null {
  if (watched.kind === 'BROKEN') return explainThrown(watched.error);
  if (watched.kind !== 'REFUSED') return null;
  const { failure } = watched;
  if (failure.__typename !== 'NotFoundError') return explain(failure);
  return {
    title: 'There is no such lip-sync',
    advice: 'It was erased meanwhile, or it belongs to somebody else.',
    step: 'NOTHING',
  };
}

type NowProps = {
  event: LipsyncEvent;
  heading: RefObject<HTMLHeadingElement | null>;
  steps: EndSteps;
};

function Now({ event, heading, steps }: NowProps) {
  const [isAsked, setAsked] = useState(false);
  const wasAsked = useRef(false);
  const { id, status } = event.lipsync;
  const runs = isRunning(event.status);
  // The dialog and the button that had opened it go in any order, and whichever is last takes the focus along.
  const keepFocus = useCallback(() => {
    if (!wasAsked.current) return;
    setTimeout(() => {
      if (document.activeElement === document.body) heading.current?.focus();
    }, 50);
  }, [heading]);
  useEffect(() => {
    if (!runs) keepFocus();
  }, [runs, keepFocus]);
  const openDialog = () => {
    wasAsked.current = true;
    setAsked(true);
  };
  return (
    <>
      {runs ? (
        <>
          <Running event={event} />
          <Group>
            <Button variant="default" size="sm" onClick={openDialog}>
              Cancel…
            </Button>
          </Group>
        </>
      ) : (
        <Ended event={event} {...steps} />
      )}
      <CancelDialog
        id={id}
        status={status}
        isOpen={isAsked}
        onClose={() => setAsked(false)}
        onClosed={keepFocus}
      />
    </>
  );
}
