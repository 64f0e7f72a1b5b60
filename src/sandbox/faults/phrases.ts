import type { JobEffects } from './job-effects.ts';

/**
 * What `createLipsync` answers to a text with the phrase: the type of the error. A status means `CreateLipsyncSuccess` and
 * is the last status of the lip-sync.
 */
export type PhraseAnswer =
  | 'InvalidInputError'
  | 'UpstreamUnauthorizedError'
  | 'SubscriptionExpiredError'
  | 'NotFoundError'
  | 'InsufficientCreditsError'
  | 'ContentModeratedError'
  | 'RateLimitedError'
  | 'AccountPendingError'
  | 'OutcomeUnknownError'
  | 'UpstreamUnavailableError'
  | 'COMPLETED'
  | 'MODERATED'
  | 'FAILED'
  | 'GENERATING';

/**
 * A failure on purpose: `[[phrase]]` anywhere in the text to speak. A phrase affects its own request or job only, with the
 * exception of `unavailable`. A phrase that refuses the request or withholds its answer does so once per `replyRef`, so that
 * a correct retry succeeds.
 */
export type Phrase = {
  phrase: string;
  /** One or two sentences for the documentation. */
  effect: string;
  answer: PhraseAnswer;
  /** No job is made. An HTTP status stands for its documented error; the others have a response of their own. */
  refuses?: number | 'account-busy' | 'provider-limit' | 'html' | 'empty' | 'cut';
  /** The job is made, but the client does not get its id. */
  withholds?: 'id' | 'answer-cut' | 'answer-hang';
  /** The job is made, and connections are refused for a while afterwards. */
  startsOutage?: true;
  /** The job is made and deviates from its normal course. */
  jobEffects?: JobEffects;
};

export const phrases: readonly Phrase[] = [
  {
    phrase: '400',
    effect: 'The request is refused as invalid (400).',
    answer: 'InvalidInputError',
    refuses: 400,
  },
  {
    phrase: '401',
    effect: 'The API token is refused (401).',
    answer: 'UpstreamUnauthorizedError',
    refuses: 401,
  },
  {
    phrase: '402',
    effect: 'The useapi.net subscription has expired (402).',
    answer: 'SubscriptionExpiredError',
    refuses: 402,
  },
  {
    phrase: '404',
    effect: 'The source video is not found (404).',
    answer: 'NotFoundError',
    refuses: 404,
  },
  {
    phrase: '412',
    effect: 'The account has no credits left (412).',
    answer: 'InsufficientCreditsError',
    refuses: 412,
  },
  {
    phrase: '422',
    effect: 'The moderator refuses the text (422).',
    answer: 'ContentModeratedError',
    refuses: 422,
  },
  {
    phrase: '429',
    effect:
      'The account is busy, once (429). With `whenBusy: FAIL` that is the answer; else the lip-sync waits, is sent again and completes.',
    answer: 'RateLimitedError',
    refuses: 'account-busy',
  },
  {
    phrase: '429-all',
    effect: 'All accounts are busy, once (429). Otherwise as `[[429]]`.',
    answer: 'RateLimitedError',
    refuses: 429,
  },
  {
    phrase: '429-provider',
    effect: 'PixVerse itself refuses another generation, once (429). Otherwise as `[[429]]`.',
    answer: 'RateLimitedError',
    refuses: 'provider-limit',
  },
  {
    phrase: '596',
    effect: 'The account has a pending error (596).',
    answer: 'AccountPendingError',
    refuses: 596,
  },
  {
    phrase: 'unavailable',
    effect:
      'The job is made and completes. But for ten seconds the sandbox refuses every connection, and the next `createLipsync` gets this answer.',
    answer: 'UpstreamUnavailableError',
    startsOutage: true,
  },
  {
    phrase: '500',
    effect: 'The upstream fails (500) and makes no job.',
    answer: 'OutcomeUnknownError',
    refuses: 500,
  },
  {
    phrase: '503',
    effect: 'The upstream is unavailable (503) and makes no job.',
    answer: 'OutcomeUnknownError',
    refuses: 503,
  },
  {
    phrase: 'html',
    effect: 'The response is 200 with an HTML page, and no job is made.',
    answer: 'OutcomeUnknownError',
    refuses: 'html',
  },
  {
    phrase: 'empty',
    effect: 'The response is 200 with an empty body, and no job is made.',
    answer: 'OutcomeUnknownError',
    refuses: 'empty',
  },
  {
    phrase: 'cut-early',
    effect: 'The connection is cut without a response, and no job is made.',
    answer: 'OutcomeUnknownError',
    refuses: 'cut',
  },
  {
    phrase: 'no-id',
    effect: 'The job is made, but the response is 200 with JSON that lacks its `video_id`.',
    answer: 'OutcomeUnknownError',
    withholds: 'id',
  },
  {
    phrase: 'cut',
    effect: 'The job is made, then the connection is cut without a response.',
    answer: 'OutcomeUnknownError',
    withholds: 'answer-cut',
  },
  {
    phrase: 'hang',
    effect: 'The job is made, but there is never a response: the answer comes after the timeout.',
    answer: 'OutcomeUnknownError',
    withholds: 'answer-hang',
  },
  {
    phrase: 'moderated',
    effect: 'The job is accepted and ends MODERATED; its credits are refunded.',
    answer: 'MODERATED',
    jobEffects: { outcome: 'MODERATED' },
  },
  {
    phrase: 'failed',
    effect: 'The job is accepted and ends FAILED.',
    answer: 'FAILED',
    jobEffects: { outcome: 'FAILED' },
  },
  {
    phrase: 'slow',
    effect: 'Generating takes five times as long.',
    answer: 'COMPLETED',
    jobEffects: { slowBy: 5 },
  },
  {
    phrase: 'never',
    effect: 'The job stays GENERATING and never ends.',
    answer: 'GENERATING',
    jobEffects: { endless: true },
  },
  {
    phrase: 'no-callback',
    effect: 'No callback is ever sent.',
    answer: 'COMPLETED',
    jobEffects: { callbacks: 'none' },
  },
  {
    phrase: 'doubled',
    effect: 'Every callback is sent twice at once.',
    answer: 'COMPLETED',
    jobEffects: { callbacks: 'doubled' },
  },
  {
    phrase: 'reordered',
    effect: 'Callbacks come only at the end, the last one first.',
    answer: 'COMPLETED',
    jobEffects: { callbacks: 'reordered' },
  },
  {
    phrase: 'early',
    effect: 'A first callback arrives before the request that made the job is answered.',
    answer: 'COMPLETED',
    jobEffects: { callbacks: 'early' },
  },
  {
    phrase: 'forged',
    effect: 'Callbacks are false: another video id, another url, COMPLETED too early.',
    answer: 'COMPLETED',
    jobEffects: { callbacks: 'forged' },
  },
  {
    phrase: 'running-200',
    effect: 'A read of the running video answers 200 with a status that is not final.',
    answer: 'COMPLETED',
    jobEffects: { getOne: '200' },
  },
  {
    phrase: 'queued-final',
    effect: 'While QUEUED, the video has a status that is marked as final.',
    answer: 'COMPLETED',
    jobEffects: { queuedFinal: true },
  },
  {
    phrase: 'url-early',
    effect: 'The video shows a url while it is still running.',
    answer: 'COMPLETED',
    jobEffects: { urlWhileRunning: true },
  },
  {
    phrase: 'unknown-status',
    effect: 'While generating, the video has status 42 and no status name; then it completes.',
    answer: 'COMPLETED',
    jobEffects: { unknownStatus: true },
  },
];

const byPhrase = new Map(phrases.map((each) => [each.phrase, each]));
const marker = /\[\[([a-z0-9-]+)\]\]/g;

/** The phrases of a text in their order, and the text without them. An unknown phrase stays in the text. */
export function readPhrases(text: string): { found: Phrase[]; spoken: string } {
  const found: Phrase[] = [];
  const rest = text.replace(marker, (whole, name: string) => {
    const phrase = byPhrase.get(name);
    if (!phrase) return whole;
    found.push(phrase);
    return ' ';
  });
  return { found, spoken: rest.replace(/\s+/g, ' ').trim() };
}
