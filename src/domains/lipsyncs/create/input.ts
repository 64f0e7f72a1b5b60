import { type InputIssue, InvalidInputError } from '../../../errors.ts';
import type { WebhookEvent } from '../../webhooks/service.ts';
import type { LipsyncDependencies } from '../dependencies.ts';

/** A request with its ids decoded to keys. A key is null if the id could not be decoded. */
export type CreateInput = {
  video: { key: string | null } | { uploadKey: string | null };
  speech: { audioUploadKey: string | null } | { text: string; voiceKey: string | null | undefined };
  keepOriginalSound: boolean | null;
  offPeak: boolean;
  reference: string | null;
  callbackUrl: string | null;
  /** Left out if equal to `defaultEvents`, so that requests from before this option existed keep their fingerprint. */
  callbackEvents?: WebhookEvent[];
  maxJobs: number | null;
  idempotencyKey: string | null;
  mayWait: boolean;
  expiresAt: Date | null;
};

export const defaultEvents: readonly WebhookEvent[] = ['FINISHED'];

/** The upstream takes 200 characters of text. */
const maxTextLength = 200;

/**
 * The checks that need no look-up. `expiresAt` is not checked here: a repeated request with the same idempotency key must
 * get the same answer later too.
 *
 * @throws InvalidInputError with every issue
 */
export function checkShape(input: CreateInput, webhooks: LipsyncDependencies['webhooks']): void {
  const { speech, maxJobs, idempotencyKey, reference, callbackUrl, callbackEvents } = input;
  const text = 'text' in speech ? speech.text : null;
  const textPath = ['speech', 'text', 'text'];
  const textLength = lengthOf(text);
  const urlProblem = callbackUrl === null ? null : webhooks.checkUrl(callbackUrl);
  const texts = [text, idempotencyKey, reference, callbackUrl];
  const rules: [isValid: boolean, path: string[], message: string][] = [
    [text?.trim() !== '', textPath, 'The text is empty.'],
    [
      textLength <= maxTextLength,
      textPath,
      `The text has ${textLength} characters; the maximum is ${maxTextLength}.`,
    ],
    [isWithin(maxJobs ?? 1, 1, 8), ['maxJobs'], 'maxJobs must be from 1 to 8.'],
    [
      idempotencyKey === null || isWithin(lengthOf(idempotencyKey), 1, 255),
      ['idempotencyKey'],
      'An idempotencyKey must have 1 to 255 characters.',
    ],
    [lengthOf(reference) <= 1024, ['reference'], 'A reference must have at most 1024 characters.'],
    [urlProblem === null, ['callbackUrl'], urlProblem ?? ''],
    [
      callbackEvents?.length !== 0,
      ['callbackEvents'],
      'callbackEvents must have at least one event.',
    ],
    [
      !texts.some((each) => each?.includes('\0')),
      [],
      'Text must not contain the character U+0000.',
    ],
  ];
  const issues = rules.flatMap(([isValid, path, message]): InputIssue[] =>
    isValid ? [] : [{ path: ['input', ...path], message }],
  );
  if (issues.length > 0) throw new InvalidInputError(issues);
}

/** In code points, which is how people count characters. The upstream does not say what it counts. */
function lengthOf(text: string | null): number {
  return [...(text ?? '')].length;
}

function isWithin(value: number, min: number, max: number): boolean {
  return value >= min && value <= max;
}

/** @throws InvalidInputError */
export function checkExpiry({ expiresAt }: CreateInput, now: Date): void {
  if (expiresAt === null || expiresAt > now) return;
  throw new InvalidInputError([
    { path: ['input', 'expiresAt'], message: 'expiresAt must be in the future.' },
  ]);
}
