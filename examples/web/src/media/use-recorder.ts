import { useEffect, useRef, useState } from 'react';
import { maxSeconds } from '../form/part.ts';

export type Recording =
  | { kind: 'IDLE' }
  | { kind: 'REQUESTING' }
  | { kind: 'RUNNING'; seconds: number }
  | { kind: 'DENIED'; reason: string };

/** Records the microphone until `stop` or `maxSeconds`, in the browser's own format. Unmounting discards the recording. */
export function useRecorder(onRecorded: (audio: Blob) => void) {
  const [recording, setRecording] = useState<Recording>({ kind: 'IDLE' });
  const recorder = useRef<MediaRecorder | null>(null);
  const unmount = useRef<AbortController | null>(null);
  useEffect(() => () => unmount.current?.abort(), []);

  const start = async () => {
    const abort = new AbortController();
    unmount.current = abort;
    setRecording({ kind: 'REQUESTING' });
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      recorder.current = record(stream, {
        signal: abort.signal,
        onSecond: (seconds) => setRecording({ kind: 'RUNNING', seconds }),
        onEnd: (audio) => {
          setRecording({ kind: 'IDLE' });
          onRecorded(audio);
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
  onEnd: (audio: Blob) => void;
};

function record(stream: MediaStream, { signal, onSecond, onEnd }: Listeners): MediaRecorder {
  const recorder = new MediaRecorder(stream);
  const chunks: Blob[] = [];
  let seconds = 0;
  const timer = setInterval(() => {
    seconds += 1;
    onSecond(seconds);
    if (seconds >= maxSeconds) recorder.stop();
  }, 1_000);
  recorder.addEventListener('dataavailable', ({ data }) => chunks.push(data));
  recorder.addEventListener('stop', () => {
    clearInterval(timer);
    for (const track of stream.getTracks()) track.stop();
    if (!signal.aborted) onEnd(new Blob(chunks, { type: recorder.mimeType }));
  });
  recorder.start();
  onSecond(0);
  const stop = () => recorder.stop();
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop);
  return recorder;
}

function reasonOf(error: unknown): string {
  const name = error instanceof Error ? error.name : '';
  if (name === 'NotAllowedError') {
    return 'Microphone access is blocked. Allow it in your browser’s address bar, then try again.';
  }
  if (name === 'NotFoundError') return 'No microphone found. Connect one, then try again.';
  return 'The microphone is not available. Upload a recording instead.';
}
