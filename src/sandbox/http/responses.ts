/** An HTTP answer as it will be written. `truncateAt` cuts the connection after that many bytes of the body. */
export type Answer = {
  status: number;
  headers?: Record<string, string>;
  body?: string;
  truncateAt?: number;
};

/** `cut` destroys the connection without a byte, `hang` never answers, `sent` was written already. */
export type Reply = Answer | 'cut' | 'hang' | 'sent';

/** Thrown where a request can't be served; the router turns it into the endpoint's own error shape. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export function answerJson(status: number, value: unknown): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: JSON.stringify(value),
  };
}

export function answerNothing(): Answer {
  return { status: 204 };
}

export const PENDING_ERROR =
  'Your PixVerse account has pending error. Please address this issue at https://useapi.net/docs/api-pixverse-v2/post-pixverse-accounts-email before making any new API calls.';
export const NO_CREDITS =
  'All Credits have been used up. Please upgrade your membership or purchase credits.';
const MODERATED_PROMPT = 'Your prompt has triggered our AI moderator, please re-enter your prompt';
export const ALL_BUSY = 'All configured accounts are running at maximum capacity.';
export const PROVIDER_LIMIT = 'Reached the limit for concurrent generations.';

/** The documented text of a refusal by its status; an invented one where the documentation has none. */
export function errorText(status: number): string {
  return (
    new Map([
      [400, 'The request was refused on demand.'],
      [401, 'Unauthorized'],
      [402, 'Account has no subscription or subscription expired'],
      [404, 'Video not found'],
      [412, NO_CREDITS],
      [422, MODERATED_PROMPT],
      [429, ALL_BUSY],
      [500, 'Internal Server Error'],
      [503, 'Service Unavailable'],
      [596, PENDING_ERROR],
    ]).get(status) ?? `Error ${status}`
  );
}

/** Errors of the lip-sync endpoint have no `code`; those of every other endpoint do. */
export function answerError(status: number, message: string, isLipsync: boolean): Answer {
  return answerJson(status, isLipsync ? { error: message } : { error: message, code: status });
}
