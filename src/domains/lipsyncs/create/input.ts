import { z } from 'zod';
import { breaks, listIssues } from '../../../check-input.ts';
import { type InputIssue, InvalidInputError } from '../../../errors.ts';
import type { WebhookEvent } from '../../webhooks/service.ts';
import type { LipsyncDependencies } from '../dependencies.ts';

/** A request with its ids decoded to keys. A key is null if the id could not be decoded. */
export type CreateInput = {
  video: { key: string | null } | { uploadKey: string | null } | { url: string };
  speech:
    | { audioUploadKey: string | null }
    | { text: string; voiceKey: string | null | undefined }
    | { url: string };
  keepOriginalSound: boolean | null;
  offPeak: boolean;
  reference: string | null;
  callbackUrl: string | null;
  /** Left out if equal to `defaultEvents`, so that requests from before this option existed keep their fingerprint. */
  callbackEvents?: WebhookEvent[];
  maxJobs: number | null;
  /** Left out if there is no limit, as `callbackEvents`. */
  maxCredits?: number;
  idempotencyKey: string | null;
  mayWait: boolean;
  expiresAt: Date | null;
};

export const defaultEvents: readonly WebhookEvent[] = ['FINISHED'];

/** The upstream accepts 200 characters of text. */
const maxTextLength = 200;

const maxJobsMessage = 'maxJobs must be from 1 to 8.';

/** In code points, which is how people count characters. The upstream does not say what it counts. */
const lengthOf = (text: string) => [...text].length;

const speechText = z
  .string()
  .refine((text) => text.trim() !== '', breaks('REQUIRED', 'The text is empty.'))
  .refine((text) => lengthOf(text) <= maxTextLength, {
    ...breaks('TOO_LONG', ''),
    error: ({ input }) =>
      `The text has ${lengthOf(String(input))} characters; the maximum is ${maxTextLength}.`,
  });

const keyMessage = 'An idempotencyKey must have 1 to 255 characters.';

/** The fields as the GraphQL input has them, so that an issue names the path that the client sent. */
const inputShape = z
  .object({
    speech: z.object({ script: z.object({ text: speechText }).optional() }),
    maxCredits: z.number().min(0, 'maxCredits must be a number from 0.').optional(),
    maxJobs: z.int().min(1, maxJobsMessage).max(8, maxJobsMessage).nullable(),
    idempotencyKey: z
      .string()
      .refine((key) => key !== '', breaks('REQUIRED', keyMessage))
      .refine((key) => lengthOf(key) <= 255, breaks('TOO_LONG', keyMessage))
      .nullable(),
    reference: z
      .string()
      .refine(
        (text) => lengthOf(text) <= 1024,
        breaks('TOO_LONG', 'A reference must have at most 1024 characters.'),
      )
      .nullable(),
    callbackUrl: z.string().nullable(),
    callbackEvents: z
      .array(z.string())
      .min(1, 'callbackEvents must have at least one event.')
      .optional(),
  })
  .refine(
    (input) => !textsOf(input).some((text) => text.includes('\0')),
    breaks('INVALID_CHARACTER', 'Text must not contain the character U+0000.'),
  )
  // The database and the video service would get U+FFFD for each half, so two idempotency keys could become the same key.
  .refine(
    (input) => textsOf(input).every((text) => text.isWellFormed()),
    breaks('INVALID_CHARACTER', 'Text must not contain half of a surrogate pair.'),
  );

type Texts = Pick<CreateInput, 'idempotencyKey' | 'reference' | 'callbackUrl'> & {
  speech: { script?: { text: string } | undefined };
};

function textsOf({ speech, idempotencyKey, reference, callbackUrl }: Texts): string[] {
  const texts = [speech.script?.text, idempotencyKey, reference, callbackUrl];
  return texts.filter((text) => typeof text === 'string');
}

/**
 * The checks that need no look-up. `expiresAt` is not checked here: a repeated request with the same idempotency key must
 * get the same answer later too.
 *
 * @throws InvalidInputError with every issue
 */
export function checkShape(
  { webhooks, uploads }: Pick<LipsyncDependencies, 'webhooks' | 'uploads'>,
  input: CreateInput,
): void {
  const { speech, callbackUrl } = input;
  const asSent = { ...input, speech: 'text' in speech ? { script: { text: speech.text } } : {} };
  const urlProblem = callbackUrl === null ? null : webhooks.checkUrl(callbackUrl);
  const issues = [...listIssues(inputShape, asSent), ...checkUrls(uploads, input)];
  if (urlProblem !== null) issues.push({ ...urlProblem, path: ['input', 'callbackUrl'] });
  if (issues.length > 0) throw new InvalidInputError(issues);
}

/** @throws InvalidInputError */
export function checkExpiry({ expiresAt }: CreateInput, now: Date): void {
  if (expiresAt === null || expiresAt > now) return;
  throw new InvalidInputError([
    {
      path: ['input', 'expiresAt'],
      message: 'expiresAt must be in the future.',
      code: 'OUT_OF_RANGE',
    },
  ]);
}

/** What is wrong with the URLs of files. The addresses of their hosts are checked when they are fetched. */
function checkUrls(
  uploads: LipsyncDependencies['uploads'],
  { video, speech }: Pick<CreateInput, 'video' | 'speech'>,
): InputIssue[] {
  return Object.entries({ video, speech }).flatMap(([name, source]) =>
    'url' in source ? uploads.checkImportUrl(source.url, ['input', name, 'url']) : [],
  );
}
