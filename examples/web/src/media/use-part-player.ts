import { useEffect, useRef, useState } from 'react';
import type { Clip } from '../form/part.ts';

/** Plays a part of a sound. */
export function usePartPlayer(part: Clip) {
  const audio = useRef<HTMLAudioElement>(null);
  const [isPlaying, setPlaying] = useState(false);
  const [isPlayable, setPlayable] = useState(true);
  const { startSeconds, durationSeconds } = part;
  const endSeconds = startSeconds + durationSeconds;

  // Another part has been chosen: what plays is not what is shown.
  useEffect(() => {
    audio.current?.pause();
    if (audio.current !== null && audio.current.readyState > 0) {
      audio.current.currentTime = startSeconds;
    }
  }, [startSeconds, durationSeconds]);

  useEffect(() => {
    const player = audio.current;
    if (!isPlaying || player === null) return;
    // The event `timeupdate` comes four times a second, which is heard.
    const timer = setInterval(() => {
      if (player.currentTime >= endSeconds) player.pause();
    }, 50);
    return () => clearInterval(timer);
  }, [isPlaying, endSeconds]);

  const play = () => {
    const player = audio.current;
    if (player === null) return;
    player.currentTime = startSeconds;
    player.play().catch(() => setPlayable(false));
  };

  return {
    isPlaying,
    isPlayable,
    toggle: () => (isPlaying ? audio.current?.pause() : play()),
    /** For the `audio` element. */
    props: {
      ref: audio,
      preload: 'metadata',
      onPlay: () => setPlaying(true),
      onPause: () => setPlaying(false),
      onError: () => setPlayable(false),
    } as const,
  };
}
