import { Badge, Text, UnstyledButton } from '@mantine/core';
import { useLipsync } from 'lipsync-graphql-client/react';
import { useEffect, useEffectEvent } from 'react';
import { Icon } from '../icon.tsx';
import { eventOf } from '../lipsync/event.ts';
import { useEstimate } from '../lipsync/use-estimate.ts';
import { graphql, type ResultOf } from '../session/graphql.ts';
import { badgeOf, isAtVideoService } from '../text/status.ts';
import { describeTime } from '../text/time.ts';
import classes from './lipsync-row.module.css';

export const lipsyncRowFragment = graphql(`
  fragment LipsyncRow on Lipsync {
    id status isFinal text reference createdAt
    result { posterUrl }
    sourceVideo { posterUrl }
  }
`);

type Props = {
  lipsync: ResultOf<typeof lipsyncRowFragment>;
  isOpened: boolean;
  onOpen: () => void;
  onFinished: () => void;
};

/** One lip-sync of the list, live while it is running. */
export function LipsyncRow({ lipsync, isOpened, onOpen, onFinished }: Props) {
  const { id, text, reference, createdAt, result, sourceVideo } = lipsync;
  const { state } = useLipsync(lipsync.isFinal ? null : id);
  const event = eventOf(state);
  const { status } = event ?? lipsync;
  const { percent } = useEstimate(event);
  const hasFinished = !lipsync.isFinal && event?.isFinal === true;
  const notifyFinished = useEffectEvent(onFinished);
  useEffect(() => {
    if (hasFinished) notifyFinished();
  }, [hasFinished]);
  const { label, color } = badgeOf(status);
  return (
    <UnstyledButton
      className={classes.row}
      onClick={onOpen}
      {...(isOpened ? { 'aria-current': true } : {})}
    >
      <Thumbnail posterUrl={result?.posterUrl ?? sourceVideo?.posterUrl ?? null} />
      <span>
        <Text component="span" size="sm" fw={500} truncate className={classes.line}>
          {text ?? 'Audio file'}
        </Text>
        <Text component="span" size="xs" c="dimmed" truncate className={classes.line}>
          {describeTime(createdAt)}
          {reference !== null && ` · ${reference}`}
        </Text>
      </span>
      <Badge color={color} variant="light" className={classes.badge}>
        {label}
        {event !== null && isAtVideoService(status) && ` ${Math.floor(percent)} %`}
      </Badge>
    </UnstyledButton>
  );
}

function Thumbnail({ posterUrl }: { posterUrl: string | null }) {
  return (
    <span className={classes.thumbnail}>
      {posterUrl === null ? <Icon name="film" /> : <img src={posterUrl} alt="" loading="lazy" />}
    </span>
  );
}
