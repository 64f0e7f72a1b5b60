import { readFile } from 'node:fs/promises';
import { possibleTypes } from 'lipsync-graphql-client';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Phrase, phrases } from '../../src/sandbox/faults/phrases.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { requestLipsync, waitForStatus } from '../support/lipsyncs.ts';
import { uploadFile } from '../support/uploads.ts';

const sourceVideo = new URL('../../src/sandbox/media/source-1.mp4', import.meta.url);

/** A refusal can pause its account or stop it for some seconds. An uploaded video then goes to another account. */
const accounts = Array.from({ length: 12 }, (_, at) => ({
  email: `account-${at}@phrases.example`,
  maxJobs: 8,
}));

/** Longer than the test: the sandbox does not come back. */
const outageMs = 600_000;

/** These never come from the upstream. */
const ownErrors = [
  'IdempotencyConflictError',
  'NotAuthenticatedError',
  'NotAuthorizedError',
  'QueueFullError',
  'QuotaExceededError',
];

describe('createLipsync with a phrase in the text', { timeout: 60_000 }, () => {
  let app: TestApp;
  let uploadId: string;

  const create = async (text: string) => {
    const input = { video: { uploadId }, text, whenBusy: 'FAIL' };
    const { __typename, lipsync } = await requestLipsync(app, input);
    return { type: __typename, id: lipsync?.id ?? '' };
  };

  beforeAll(async () => {
    app = await startTestApp({
      // Longer than the sandbox ever takes, also on a busy machine; one phrase waits for it.
      env: { ALLOW_ANONYMOUS: 'true', UPSTREAM_TIMEOUT_MS: '5000' },
      sandbox: { accounts, outageMs },
    });
    uploadId = await uploadFile(app, 'VIDEO', new Uint8Array(await readFile(sourceVideo)));
  });
  afterAll(() => app?.stop());

  const isOutage = ({ startsOutage }: Phrase) => startsOutage === true;

  test.each(phrases.filter((phrase) => !isOutage(phrase)))(
    '[[$phrase]] answers $answer',
    async ({ phrase, answer }) => {
      const { type, id } = await create(`Good [[${phrase}]] evening.`);
      if (answer.endsWith('Error')) {
        expect(type).toBe(answer);
        return;
      }
      expect(type).toBe('CreateLipsyncSuccess');
      await waitForStatus(app, id, answer);
    },
  );

  // The last test: afterwards the sandbox refuses every connection.
  test.each(phrases.filter(isOutage))(
    '[[$phrase]] succeeds, and the next one answers $answer',
    async ({ phrase, answer }) => {
      expect((await create(`Good [[${phrase}]] evening.`)).type).toBe('CreateLipsyncSuccess');
      await vi.waitFor(() => expect(fetch(app.sandbox.origin)).rejects.toThrow(), {
        timeout: 60_000,
      });
      expect((await create('Good evening.')).type).toBe(answer);
    },
  );

  test('every union member that the video service can cause has a phrase', () => {
    const answers = phrases.map(({ answer }) =>
      answer.endsWith('Error') ? answer : 'CreateLipsyncSuccess',
    );
    const members = possibleTypes.CreateLipsyncResult.filter((type) => !ownErrors.includes(type));
    expect([...new Set<string>(answers)].sort()).toEqual([...members].sort());
  });
});
