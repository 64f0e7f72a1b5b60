import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keyOf } from '../../../src/graphql/ids.ts';
import { idOf, type LipsyncApp, startLipsyncApp } from '../../support/lipsync-app.ts';
import { longWait } from '../../support/lipsyncs.ts';

type Message = { lipsyncId: string; status?: string; request?: { method: string; path: string } };

const channels = [
  'lipsync:row-writing',
  'lipsync:row-written',
  'lipsync:post-started',
  'undici:request:bodySent',
  'lipsync:answer-read',
  'lipsync:status-written',
  'lipsync:notified',
];

let app: LipsyncApp;
let steps: { name: string; message: Message }[];
const listeners = channels.map((name) => ({
  name,
  listener: (message: unknown) => void steps.push({ name, message: message as Message }),
}));

beforeEach(async () => {
  steps = [];
  app = await startLipsyncApp();
  for (const { name, listener } of listeners) subscribe(name, listener);
});
afterEach(async () => {
  for (const { name, listener } of listeners) unsubscribe(name, listener);
  await app.stop();
});

describe('works', () => {
  it('publishes the steps of a lip-sync in order', async () => {
    const [source] = await app.listVideoIds();
    const made = await app.create({ video: { videoId: source }, text: 'Hi' });
    const id = idOf(made);
    await app.waitForEnd(id);
    const lipsyncId = keyOf('Lipsync', id);
    const names = () =>
      steps
        .filter(
          ({ message: { lipsyncId: id, request } }) =>
            id === lipsyncId || (request?.method === 'POST' && request.path.endsWith('/lipsync')),
        )
        .map(({ name, message: { status } }) => [name, status].filter(Boolean).join());
    // The notification of the end arrives on a separate connection.
    await vi.waitFor(() => expect(names().at(-1)).toBe('lipsync:notified'), longWait);
    const own = names().filter((name) => name !== 'lipsync:notified');
    expect(own.slice(0, 6)).toEqual([
      'lipsync:row-writing',
      'lipsync:row-written',
      'lipsync:post-started',
      'undici:request:bodySent',
      'lipsync:answer-read',
      'lipsync:status-written,SUBMITTED',
    ]);
    expect(own.at(-1)).toBe('lipsync:status-written,COMPLETED');
  });
});
