/** The fields of a channel message that identify the step. */
type Message = {
  status?: string;
  request?: { method: string; path: string };
};

export type Point = {
  name: string;
  /** A channel of `node:diagnostics_channel`: one of `src/domains/lipsyncs/trace.ts`, or of undici. */
  channel: string;
  fits(message: Message): boolean;
};

const always = () => true;

export const terminal: readonly string[] = [
  'COMPLETED',
  'FAILED',
  'MODERATED',
  'CANCELLED',
  'EXPIRED',
];

/** The points at which a process can be killed, in the order of a lip-sync's life. */
export const points: readonly Point[] = [
  { name: 'before the row', channel: 'lipsync:row-writing', fits: always },
  { name: 'after the row', channel: 'lipsync:row-written', fits: always },
  { name: 'POST announced', channel: 'lipsync:post-started', fits: always },
  {
    name: 'bytes sent',
    // After the last byte was given to the kernel, which delivers it even when the process is killed.
    channel: 'undici:request:bodySent',
    fits: ({ request }) =>
      request?.method === 'POST' && request.path.endsWith('/videos/lipsync') === true,
  },
  { name: 'answer read', channel: 'lipsync:answer-read', fits: always },
  {
    name: 'state written',
    channel: 'lipsync:status-written',
    fits: ({ status }) => status === 'SUBMITTED',
  },
  { name: 'notified', channel: 'lipsync:notified', fits: always },
  {
    name: 'end written',
    channel: 'lipsync:status-written',
    fits: ({ status }) => terminal.includes(status ?? ''),
  },
];
