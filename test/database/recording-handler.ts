import { expect, vi } from 'vitest';

export type Note = { note: string };

/** A job handler that records the notes of its jobs and when they ran. */
export function createRecordingHandler(
  act: (note: string) => Promise<void> | void = () => undefined,
) {
  const notes: string[] = [];
  const times: number[] = [];
  const handler = async ({ data }: { data: Note }) => {
    notes.push(data.note);
    times.push(Date.now());
    await act(data.note);
  };
  const until = (count: number) =>
    vi.waitFor(() => expect(notes.length).toBeGreaterThanOrEqual(count), {
      timeout: 60_000,
      interval: 10,
    });
  return { notes, times, handler, until };
}
