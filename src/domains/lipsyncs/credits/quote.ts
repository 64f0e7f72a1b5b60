import { NotFoundError } from '../../../errors.ts';
import type { CreateDependencies } from '../create/dependencies.ts';
import { type CreateInput, checkShape } from '../create/input.ts';
import { resolveSpeech } from '../create/resolve.ts';
import { resolveFile } from '../create/resolve-file.ts';
import { expectedMs } from '../progress/estimate.ts';
import { readPastDurations } from '../progress/past-durations.ts';
import type { CreditEstimate } from './estimate.ts';

/** What is estimated. Without a video: for any account. */
export type QuoteInput = Pick<CreateInput, 'speech' | 'offPeak'> & {
  video: CreateInput['video'] | null;
};

export type Quote = CreditEstimate & {
  /** How long the upstream will probably take. Null while no job of the kind has ended. */
  seconds: number | null;
  creditsAvailable: number | null;
};

/** The options of `createLipsync` that do not change the estimate. */
const notEstimated = {
  keepOriginalSound: null,
  reference: null,
  callbackUrl: null,
  maxJobs: null,
  idempotencyKey: null,
  mayWait: true,
  expiresAt: null,
};

/**
 * Estimates the cost and the duration of a lip-sync. Reads only the credits from the upstream and stores nothing. Does not
 * check that the video and the voice still exist. Throws failures.
 */
export async function quoteLipsync(
  deps: CreateDependencies,
  { owner, canSeeAll, input }: { owner: string; canSeeAll: boolean; input: QuoteInput },
): Promise<Quote> {
  const { video, speech, offPeak } = input;
  const asCreated = { ...notEstimated, video: video ?? { key: null }, speech, offPeak };
  checkShape(deps, asCreated);
  const [accountId, { text, mediaSeconds }] = await Promise.all([
    video === null ? null : findAccount(deps, { owner, canSeeAll }, video),
    resolveSpeech(deps, { owner, input: withoutVoice(asCreated), sharedImports: new Map() }),
  ]);
  const job = { text, mediaSeconds, offPeak };
  const [estimate, durations, creditsAvailable] = await Promise.all([
    deps.estimateCredits(job),
    readPastDurations(deps.db, job),
    deps.accounts.readCredits(accountId),
  ]);
  const seconds = durations.length === 0 ? null : expectedMs(durations, 0) / 1_000;
  return { ...estimate, seconds, creditsAvailable };
}

/** The voice does not change the cost, and the upstream would have to be asked for it. */
function withoutVoice({ video, speech }: Pick<CreateInput, 'video' | 'speech'>) {
  return { video, speech: 'text' in speech ? { ...speech, voiceKey: undefined } : speech };
}

async function findAccount(
  deps: CreateDependencies,
  viewer: { owner: string; canSeeAll: boolean },
  video: CreateInput['video'],
): Promise<string | null> {
  if (!('key' in video)) {
    const request = { owner: viewer.owner, sharedImports: new Map() };
    await resolveFile(deps, request, { name: 'video', kind: 'VIDEO', file: video });
    return null;
  }
  const found = video.key === null ? null : await deps.videos.findSourceAccount(viewer, video.key);
  if (found === null) throw new NotFoundError('The video');
  return found.accountId;
}
