import { ActionIcon, Text } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { Icon } from '../icon.tsx';
import { describeSeconds } from '../text/time.ts';
import classes from './video-choice.module.css';

type Props = {
  video: {
    prompt: string | null;
    url: string | null;
    posterUrl: string | null;
    durationSeconds: number | null;
  };
  isChosen: boolean;
  /** True for the first video of a page that "Show more videos" loaded: the button is gone. */
  takesFocus: boolean;
  onChoose: () => void;
};

/** A radio button with the look of a picture. The play button is a sibling, because controls must not be nested. */
export function VideoChoice({ video, isChosen, takesFocus, onChoose }: Props) {
  const { prompt, url, durationSeconds } = video;
  const name = prompt ?? 'Untitled';
  const [isPlaying, setPlaying] = useState(false);
  const radio = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (takesFocus) radio.current?.focus();
  }, [takesFocus]);
  return (
    <div className={classes.choice}>
      <label className={classes.card}>
        <input
          ref={radio}
          type="radio"
          name="video"
          className={classes.radio}
          checked={isChosen}
          onChange={onChoose}
        />
        <span className={classes.picture}>
          <Picture video={video} isPlaying={isPlaying} onEnd={() => setPlaying(false)} />
          <span className={classes.mark}>
            <Icon name="check" size={14} />
          </span>
          {durationSeconds !== null && (
            <span className={classes.duration}>{describeSeconds(durationSeconds)}</span>
          )}
        </span>
        <Text component="span" size="sm" lineClamp={2} className={classes.name}>
          {name}
        </Text>
      </label>
      {url !== null && (
        <ActionIcon
          className={classes.play}
          variant="filled"
          color="dark.8"
          radius="xl"
          size="md"
          aria-label={isPlaying ? `Stop the preview of ${name}` : `Play a preview of ${name}`}
          onClick={() => setPlaying(!isPlaying)}
        >
          <Icon name={isPlaying ? 'stop' : 'play'} size={13} />
        </ActionIcon>
      )}
    </div>
  );
}

function Picture({
  video: { url, posterUrl },
  isPlaying,
  onEnd,
}: Pick<Props, 'video'> & { isPlaying: boolean; onEnd: () => void }) {
  if (isPlaying && url !== null) {
    return (
      // biome-ignore lint/a11y/useMediaCaption: uploaded and generated videos have no transcript.
      <video className={classes.media} src={url} autoPlay playsInline onEnded={onEnd} />
    );
  }
  if (posterUrl !== null) return <img className={classes.media} src={posterUrl} alt="" />;
  if (url === null) return <Icon name="film" size={28} />;
  // Without a poster, the video's first frame is shown.
  return (
    <video className={classes.media} src={`${url}#t=0.1`} preload="metadata" muted playsInline />
  );
}
