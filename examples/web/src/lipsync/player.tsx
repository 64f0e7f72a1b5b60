import type { LipsyncVideo } from 'lipsync-graphql-client';
import { useEffect, useState } from 'react';
import classes from './video-preview.module.css';

type Props = { video: LipsyncVideo & { url: string }; text: string | null };

/** A spoken text is shown as captions too. */
export function Player({ video: { url, posterUrl, durationSeconds }, text }: Props) {
  const captions = useCaptions(text, durationSeconds);
  return (
    <video
      className={classes.player}
      src={url}
      {...(posterUrl === null ? {} : { poster: posterUrl })}
      controls
      playsInline
      aria-label="Your video"
    >
      {captions !== null && <track kind="captions" src={captions} srcLang="und" label="Captions" />}
    </video>
  );
}

function useCaptions(text: string | null, seconds: number | null): string | null {
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    if (text === null) return;
    const objectUrl = URL.createObjectURL(
      new Blob([toVtt(text, seconds ?? 60)], { type: 'text/vtt' }),
    );
    setUrl(objectUrl);
    return () => URL.revokeObjectURL(objectUrl);
  }, [text, seconds]);
  return url;
}

/** One caption for the whole video, because the timing of the words is unknown. */
function toVtt(text: string, seconds: number): string {
  const end = new Date(seconds * 1_000).toISOString().slice(11, 23);
  const plain = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll(/\s+/g, ' ');
  return `WEBVTT\n\n00:00:00.000 --> ${end}\n${plain}\n`;
}
