import { expect, vi } from 'vitest';

export type Note = { note: string };

/** A handler that remembers what it was given, and when. */
export function recorder(act: (note: string) => Promise<void> | void = () => undefined) {
  const notes: string[] = [];
  const times: number[] = [];
  const handler = async ({ data }: { data: Note }) => {
    notes.push(data.note);
    times.push(Date.now());
    await act(data.note);
  };
  const until = (count: number) =>
    vi.waitFor(() => expect(notes.length).toBeGreaterThanOrEqual(count), {
      timeout: 15_000,
      interval: 10,
    });
  return { notes, times, handler, until };
}
