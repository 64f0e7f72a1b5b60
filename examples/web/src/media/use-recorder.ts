import { useEffect, useRef, useState } from 'react';

export type Recording =
  | { kind: 'IDLE' }
  | { kind: 'ASKING' }
  | { kind: 'RUNNING'; seconds: number }
  | { kind: 'DENIED'; reason: string };

/** Longer speech makes the video fail in the end. */
export const mostSeconds = 60;

/** Records with the microphone until `stop`, or for as long as a lip-sync may last. Leaving throws it away. */
export function useRecorder(onRecorded: (sound: Blob) => void) {
  const [recording, setRecording] = useState<Recording>({ kind: 'IDLE' });
  const recorder = useRef<MediaRecorder | null>(null);
  const leaving = useRef<AbortController | null>(null);
  useEffect(() => () => leaving.current?.abort(), []);

  const start = async () => {
    const left = new AbortController();
    leaving.current = left;
    setRecording({ kind: 'ASKING' });
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      recorder.current = record(stream, {
        signal: left.signal,
        onSecond: (seconds) => setRecording({ kind: 'RUNNING', seconds }),
        onEnd: (sound) => {
          setRecording({ kind: 'IDLE' });
          onRecorded(sound);
        },
      });
    } catch (error) {
      setRecording({ kind: 'DENIED', reason: reasonOf(error) });
    }
  };

  return { recording, start: () => void start(), stop: () => recorder.current?.stop() };
}

type Listeners = {
  signal: AbortSignal;
  onSecond: (seconds: number) => void;
  onEnd: (sound: Blob) => void;
};

function record(stream: MediaStream, { signal, onSecond, onEnd }: Listeners): MediaRecorder {
  const recorder = new MediaRecorder(stream);
  const pieces: Blob[] = [];
  let seconds = 0;
  const timer = setInterval(() => {
    seconds += 1;
    onSecond(seconds);
    if (seconds >= mostSeconds) recorder.stop();
  }, 1_000);
  recorder.addEventListener('dataavailable', ({ data }) => pieces.push(data));
  recorder.addEventListener('stop', () => {
    clearInterval(timer);
    for (const track of stream.getTracks()) track.stop();
    if (!signal.aborted) onEnd(new Blob(pieces, { type: recorder.mimeType }));
  });
  recorder.start();
  onSecond(0);
  const leave = () => recorder.stop();
  if (signal.aborted) leave();
  else signal.addEventListener('abort', leave);
  return recorder;
}

function reasonOf(error: unknown): string {
  const name = error instanceof Error ? error.name : '';
  if (name === 'NotAllowedError') {
    return 'This page may not use the microphone. Allow it in the address bar of your browser, and try again.';
  }
  if (name === 'NotFoundError') return 'No microphone was found. Connect one, and try again.';
  return 'The microphone can not be used here. You can upload a recording instead.';
}
