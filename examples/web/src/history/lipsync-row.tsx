import { Badge, Text, UnstyledButton } from '@mantine/core';
import { useEffect, useEffectEvent } from 'react';
import { Icon } from '../icon.tsx';
import { useEstimate } from '../lipsync/use-estimate.ts';
import { useLipsync } from '../lipsync/use-lipsync.ts';
import { eventOf } from '../lipsync/lipsync-store.ts';
import { graphql, type ResultOf } from '../session/graphql.ts';
import { isRunning, lookOf } from '../text/status.ts';
import { describeTime } from '../text/time.ts';
import classes from './lipsync-row.module.css';

export const pastLipsyncFragment = graphql(`
  fragment PastLipsync on Lipsync {
    id status text reference createdAt
    result { posterUrl }
    sourceVideo { posterUrl }
  }
`);

type Props = {
  lipsync: ResultOf<typeof pastLipsyncFragment>;
  isInView: boolean;
  onOpen: () => void;
  onEnded: () => void;
};

/** Live for as long as it runs. */
export function PastLipsync({ lipsync, isInView, onOpen, onEnded }: Props) {
  const { id, text, reference, createdAt, result, sourceVideo } = lipsync;
  const watched = useLipsync(isRunning(lipsync.status) ? id : null);
  const event = eventOf(watched);
  const { status } = event ?? lipsync;
  const { percent } = useEstimate(event);
  const hasEnded = isRunning(lipsync.status) && !isRunning(status);
  const tellEnd = useEffectEvent(onEnded);
  useEffect(() => {
    if (hasEnded) tellEnd();
  }, [hasEnded]);
  const { label, color } = lookOf(status);
  return (
    <UnstyledButton
      className={classes.row}
      onClick={onOpen}
      {...(isInView ? { 'aria-current': true } : {})}
    >
      <Thumbnail posterUrl={result?.posterUrl ?? sourceVideo?.posterUrl ?? null} />
      <span className={classes.words}>
        <Text component="span" size="sm" fw={500} truncate className={classes.line}>
          {text ?? 'A recording'}
        </Text>
        <Text component="span" size="xs" c="dimmed" truncate className={classes.line}>
          {describeTime(createdAt)}
          {reference !== null && ` · ${reference}`}
        </Text>
      </span>
      <Badge color={color} variant="light" className={classes.badge}>
        {label}
        {event !== null && isMoving(status) && ` ${Math.floor(percent)} %`}
      </Badge>
    </UnstyledButton>
  );
}

function isMoving(status: string): boolean {
  return status === 'GENERATING' || status === 'SUBMITTED';
}

function Thumbnail({ posterUrl }: { posterUrl: string | null }) {
  return (
    <span className={classes.thumbnail}>
      {posterUrl === null ? <Icon name="film" /> : <img src={posterUrl} alt="" loading="lazy" />}
    </span>
  );
}
