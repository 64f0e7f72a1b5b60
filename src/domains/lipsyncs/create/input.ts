import { type InputIssue, InvalidInputError } from '../../../errors.ts';
import type { WebhookEvent } from '../../webhooks/service.ts';
import type { Engine } from '../dependencies.ts';

/** A request with its ids decoded to keys; a key is null where the id was rubbish. */
export type CreateInput = {
  video: { key: string | null } | { uploadKey: string | null };
  speech: { audioUploadKey: string | null } | { text: string; voiceKey: string | null | undefined };
  keepOriginalSound: boolean | null;
  offPeak: boolean;
  reference: string | null;
  callbackUrl: string | null;
  /** Left out where it is `usualEvents`, so that requests from before there was a choice keep their fingerprint. */
  callbackEvents?: WebhookEvent[];
  maxJobs: number | null;
  idempotencyKey: string | null;
  mayWait: boolean;
  expiresAt: Date | null;
};

/** What is told where nothing else is asked for. */
export const usualEvents: readonly WebhookEvent[] = ['FINISHED'];

/** The upstream takes 200 characters of text. */
const maxText = 200;

/**
 * What can be said of a request without looking anything up. Not whether it has expired: asking again with the same
 * key gives the same answer for ever.
 *
 * @throws InvalidInputError with every issue
 */
export function checkShape(input: CreateInput, webhooks: Engine['webhooks']): void {
  const issues: InputIssue[] = [];
  const check = (isFine: boolean, path: string[], message: string) => {
    if (!isFine) issues.push({ path: ['input', ...path], message });
  };
  if ('text' in input.speech) {
    const { text } = input.speech;
    const length = [...text].length;
    check(text.trim() !== '', ['speech', 'text', 'text'], 'The text is empty.');
    check(
      length <= maxText,
      ['speech', 'text', 'text'],
      `The text has ${length} characters; at most ${maxText} are spoken.`,
    );
  }
  const { maxJobs, idempotencyKey, reference, callbackUrl } = input;
  check(
    maxJobs === null || (maxJobs >= 1 && maxJobs <= 8),
    ['maxJobs'],
    'maxJobs is a number from 1 to 8.',
  );
  check(
    idempotencyKey === null || isLength(idempotencyKey, 1, 255),
    ['idempotencyKey'],
    'An idempotencyKey has 1 to 255 characters.',
  );
  check(
    reference === null || isLength(reference, 0, 1024),
    ['reference'],
    'A reference has at most 1024 characters.',
  );
  const refusal = callbackUrl === null ? null : webhooks.checkUrl(callbackUrl);
  check(refusal === null, ['callbackUrl'], refusal ?? '');
  check(
    input.callbackEvents?.length !== 0,
    ['callbackEvents'],
    'callbackEvents names at least one event.',
  );
  check(
    [
      idempotencyKey,
      reference,
      callbackUrl,
      'text' in input.speech ? input.speech.text : null,
    ].every((text) => text === null || !text.includes('\0')),
    [],
    'Text must not hold the character U+0000.',
  );
  if (issues.length > 0) throw new InvalidInputError(issues);
}

/** In code points, as people count characters; the upstream does not say what it counts. */
function isLength(text: string, min: number, max: number): boolean {
  const { length } = [...text];
  return length >= min && length <= max;
}

/** @throws InvalidInputError */
export function checkExpiry({ expiresAt }: CreateInput, now: Date): void {
  if (expiresAt === null || expiresAt > now) return;
  throw new InvalidInputError([
    { path: ['input', 'expiresAt'], message: 'expiresAt has passed already.' },
  ]);
}
