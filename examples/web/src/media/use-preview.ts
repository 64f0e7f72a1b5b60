import { useEffect, useRef, useState } from 'react';

/** Plays one sound at a time. */
export function usePreview() {
  const [playing, setPlaying] = useState<string | null>(null);
  const [broken, setBroken] = useState<string | null>(null);
  const sound = useRef<HTMLAudioElement | null>(null);
  const stop = () => {
    sound.current?.pause();
    sound.current = null;
    setPlaying(null);
  };
  useEffect(() => () => sound.current?.pause(), []);

  const play = (url: string) => {
    stop();
    const next = new Audio(url);
    const isNow = () => sound.current === next;
    const fail = () => {
      if (!isNow()) return;
      setBroken(url);
      stop();
    };
    next.addEventListener('ended', () => isNow() && stop());
    next.addEventListener('error', fail);
    sound.current = next;
    setBroken(null);
    setPlaying(url);
    next.play().catch(fail);
  };

  return {
    /** The address of what is heard now. */
    playing,
    /** The address of what could not be played last. */
    broken,
    toggle: (url: string) => (playing === url ? stop() : play(url)),
  };
}
