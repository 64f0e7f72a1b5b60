import type { LipsyncErrorCode } from 'lipsync-graphql-client';

/** The action that a notice offers. */
export type NextStep = 'CHANGE_SPEECH' | 'CHOOSE_VIDEO' | 'TRY_AGAIN' | 'SIGN_IN' | 'NOTHING';

export type Notice = {
  title: string;
  /** What it means, and what to do next. */
  advice: string;
  step: NextStep;
  /** Specific messages of the server. */
  details?: string[];
};

const operator = 'Only the operator of this service can fix this. Your input is kept.';

/** One entry per code: a code that the kit adds is a type error here until it has an entry. */
export const noticeByCode: Record<LipsyncErrorCode, Notice> = {
  INVALID_INPUT: {
    title: 'Check your input',
    advice: 'Nothing was sent or charged. Change the following and try again:',
    step: 'CHANGE_SPEECH',
  },
  NOT_FOUND: {
    title: 'No longer available',
    advice: 'The video, voice or audio was deleted. Choose another one.',
    step: 'CHOOSE_VIDEO',
  },
  CONTENT_MODERATED: {
    title: 'Content rejected',
    advice:
      'The moderation of the video service rejected the content. Change the speech or choose another video.',
    step: 'CHANGE_SPEECH',
  },
  GENERATION_FAILED: {
    title: 'The video could not be generated',
    advice: 'The video service failed. Another video or a clearer recording may work.',
    step: 'CHOOSE_VIDEO',
  },
  IDEMPOTENCY_CONFLICT: {
    title: 'Already requested with other content',
    advice: 'Nothing was sent. Try again to send it as a new request.',
    step: 'TRY_AGAIN',
  },
  NOT_AUTHENTICATED: {
    title: 'You are not signed in',
    advice: 'Your access token is missing or no longer valid. Sign in with another one.',
    step: 'SIGN_IN',
  },
  NOT_AUTHORIZED: {
    title: 'Your access token does not allow this',
    advice: 'Ask the operator of this service for a token that does, then sign in with it.',
    step: 'SIGN_IN',
  },
  RATE_LIMITED: {
    title: 'The video service is busy',
    advice: 'Nothing was sent.',
    step: 'TRY_AGAIN',
  },
  QUEUE_FULL: {
    title: 'The queue is full',
    advice: 'Too many videos are waiting. Nothing was sent.',
    step: 'TRY_AGAIN',
  },
  QUOTA_EXCEEDED: {
    title: 'You have reached your limit',
    advice: 'Nothing was sent.',
    step: 'TRY_AGAIN',
  },
  UPSTREAM_UNAVAILABLE: {
    title: 'The video service is unavailable',
    advice: 'This is usually temporary.',
    step: 'TRY_AGAIN',
  },
  OUTCOME_UNKNOWN: {
    title: 'The result is not known yet',
    advice:
      'The request was sent, but no clear answer came back. The video may be running and may be charged. The server is looking for it. Do not request it again, or you may pay twice.',
    step: 'NOTHING',
  },
  INSUFFICIENT_CREDITS: {
    title: 'Not enough credits',
    advice: `The account needs more credits. ${operator}`,
    step: 'NOTHING',
  },
  SUBSCRIPTION_EXPIRED: {
    title: 'The video service subscription has expired',
    advice: operator,
    step: 'NOTHING',
  },
  UPSTREAM_UNAUTHORIZED: {
    title: 'The video service rejected this server’s credentials',
    advice: operator,
    step: 'NOTHING',
  },
  ACCOUNT_PENDING: {
    title: 'The video service account is on hold',
    advice: operator,
    step: 'NOTHING',
  },
};
