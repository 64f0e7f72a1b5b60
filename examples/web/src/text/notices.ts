import type { LipsyncErrorCode } from 'lipsync-graphql-client';

/** What a person can do about a failure, besides reading of it. */
export type Step = 'CHANGE_SPEECH' | 'CHOOSE_VIDEO' | 'TRY_AGAIN' | 'SIGN_IN' | 'NOTHING';

export type Words = {
  title: string;
  /** What it means, and what to do next. */
  advice: string;
  step: Step;
  /** What the server says in particular. */
  details?: string[];
};

const operator =
  'Nobody but the people who run this service can mend that. What you entered stays here.';

/** One entry for each code: TypeScript asks for a new one when the kit has one more. */
export const wordsByCode: Record<LipsyncErrorCode, Words> = {
  INVALID_INPUT: {
    title: 'Something needs to be changed',
    advice: 'Nothing was sent, and nothing was charged. Change this, and try again:',
    step: 'CHANGE_SPEECH',
  },
  NOT_FOUND: {
    title: 'That is not there any more',
    advice: 'The video, the voice or the recording was deleted meanwhile. Choose another one.',
    step: 'CHOOSE_VIDEO',
  },
  CONTENT_MODERATED: {
    title: 'The video service does not want to make this',
    advice: 'Its moderation refused the content. Say it in another way, or choose another video.',
    step: 'CHANGE_SPEECH',
  },
  GENERATION_FAILED: {
    title: 'The video could not be made',
    advice:
      'The video service tried and failed. Another video or a clearer recording may do better.',
    step: 'CHOOSE_VIDEO',
  },
  IDEMPOTENCY_CONFLICT: {
    title: 'That was asked for already, with other content',
    advice: 'Nothing new was sent. Try again: it then counts as a request of its own.',
    step: 'TRY_AGAIN',
  },
  NOT_AUTHENTICATED: {
    title: 'You are not signed in',
    advice: 'Your access token is missing, or it does not hold any more. Sign in with another one.',
    step: 'SIGN_IN',
  },
  NOT_AUTHORIZED: {
    title: 'Your access token does not allow that',
    advice: 'Ask those who run this service for one that does, and sign in with it.',
    step: 'SIGN_IN',
  },
  RATE_LIMITED: {
    title: 'The video service is busy',
    advice: 'Nothing was sent.',
    step: 'TRY_AGAIN',
  },
  QUEUE_FULL: {
    title: 'The waiting line is full',
    advice: 'Too many videos are waiting at the moment, and nothing was sent.',
    step: 'TRY_AGAIN',
  },
  QUOTA_EXCEEDED: {
    title: 'You have reached your limit',
    advice: 'Nothing was sent.',
    step: 'TRY_AGAIN',
  },
  UPSTREAM_UNAVAILABLE: {
    title: 'The video service does not answer',
    advice: 'That usually passes.',
    step: 'TRY_AGAIN',
  },
  OUTCOME_UNKNOWN: {
    title: 'Nobody knows yet whether this worked',
    advice:
      'It was sent, and no clear answer came: it may be running, and it may be charged. It is being looked for. Better not ask for it again, or you may pay twice.',
    step: 'NOTHING',
  },
  INSUFFICIENT_CREDITS: {
    title: 'The account has no credits left',
    advice: `Credits have to be bought first. ${operator}`,
    step: 'NOTHING',
  },
  SUBSCRIPTION_EXPIRED: {
    title: 'The subscription to the video service has ended',
    advice: operator,
    step: 'NOTHING',
  },
  UPSTREAM_UNAUTHORIZED: {
    title: 'The video service does not know this server any more',
    advice: operator,
    step: 'NOTHING',
  },
  ACCOUNT_PENDING: {
    title: 'The account at the video service is on hold',
    advice: operator,
    step: 'NOTHING',
  },
};
