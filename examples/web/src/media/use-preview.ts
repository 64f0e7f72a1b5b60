import { useEffect, useRef, useState } from 'react';

/** Plays one audio preview at a time. */
export function usePreview() {
  const [playing, setPlaying] = useState<string | null>(null);
  const [failed, setFailed] = useState<string | null>(null);
  const audio = useRef<HTMLAudioElement | null>(null);
  const stop = () => {
    audio.current?.pause();
    audio.current = null;
    setPlaying(null);
  };
  useEffect(() => () => audio.current?.pause(), []);

  const play = (url: string) => {
    stop();
    const next = new Audio(url);
    const isCurrent = () => audio.current === next;
    const fail = () => {
      if (!isCurrent()) return;
      setFailed(url);
      stop();
    };
    next.addEventListener('ended', () => isCurrent() && stop());
    next.addEventListener('error', fail);
    audio.current = next;
    setFailed(null);
    setPlaying(url);
    next.play().catch(fail);
  };

  return {
    /** The URL that is playing. */
    playing,
    /** The URL of the last preview if it could not be played. */
    failed,
    toggle: (url: string) => (playing === url ? stop() : play(url)),
  };
}
