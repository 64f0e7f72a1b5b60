import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keyOf } from '../../../src/graphql/ids.ts';
import { idOf, openStage, patient, type Stage } from './stage.ts';

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

let stage: Stage;
let steps: { name: string; message: Message }[];
const listeners = channels.map((name) => ({
  name,
  listener: (message: unknown) => void steps.push({ name, message: message as Message }),
}));

beforeEach(async () => {
  steps = [];
  stage = await openStage();
  for (const { name, listener } of listeners) subscribe(name, listener);
});
afterEach(async () => {
  for (const { name, listener } of listeners) unsubscribe(name, listener);
  await stage.stop();
});

describe('works', () => {
  it('publishes the steps of a lip-sync in order', async () => {
    const [source] = await stage.sources();
    const made = await stage.create({ video: { id: source }, speech: { text: { text: 'Hi' } } });
    const id = idOf(made);
    await stage.end(id);
    const lipsyncId = keyOf('Lipsync', id);
    const names = () =>
      steps
        .filter(
          ({ message: { lipsyncId: id, request } }) =>
            id === lipsyncId || (request?.method === 'POST' && request.path.endsWith('/lipsync')),
        )
        .map(({ name, message: { status } }) => [name, status].filter(Boolean).join());
    // The notification of the end arrives on a separate connection.
    await vi.waitFor(() => expect(names().at(-1)).toBe('lipsync:notified'), patient);
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
