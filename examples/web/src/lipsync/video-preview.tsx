import { Skeleton } from '@mantine/core';
import type { LipsyncEvent, LipsyncVideo } from 'lipsync-graphql-client';
import { Icon } from '../icon.tsx';
import type { Details } from './details.ts';
import { Player } from './player.tsx';
import classes from './video-preview.module.css';

type Props = { event: LipsyncEvent | null; details: Details | null };

/** The finished video; before that, the picture of the source video. */
export function VideoPreview({ event, details }: Props) {
  const result = event?.lipsync.result ?? null;
  if (isPlayable(result)) return <Player video={result} text={event?.lipsync.text ?? null} />;
  return (
    <div className={classes.placeholder}>
      <SourcePicture details={details} />
    </div>
  );
}

export function isPlayable(video: LipsyncVideo | null): video is LipsyncVideo & { url: string } {
  return video !== null && video.url !== null;
}

function SourcePicture({ details }: { details: Details | null }) {
  if (details === null) return <Skeleton h="100%" aria-hidden="true" />;
  const { posterUrl = null, url = null } = details.sourceVideo ?? {};
  if (posterUrl !== null) return <img src={posterUrl} alt="" />;
  if (url !== null) return <video src={`${url}#t=0.1`} preload="metadata" muted playsInline />;
  return <Icon name="film" size={40} />;
}
