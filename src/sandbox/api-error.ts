export const PENDING_ERROR =
  'Your PixVerse account has pending error. Please address this issue at https://useapi.net/docs/api-pixverse-v2/post-pixverse-accounts-email before making any new API calls.';
export const NO_CREDITS =
  'All Credits have been used up. Please upgrade your membership or purchase credits.';
export const ALL_ACCOUNTS_BUSY = 'All configured accounts are running at maximum capacity.';
export const PROVIDER_LIMIT = 'Reached the limit for concurrent generations.';

export const accountBusy = (email: string, maxJobs: number) =>
  `Account ${email} is busy executing ${maxJobs} tasks.`;

/** The documented text of each status. Those of 400, 404, 500 and 503 are ours: the documentation has none. */
const defaultTexts = new Map([
  [400, 'The request was refused on demand.'],
  [401, 'Unauthorized'],
  [402, 'Account has no subscription or subscription expired'],
  [404, 'Video not found'],
  [412, NO_CREDITS],
  [422, 'Your prompt has triggered our AI moderator, please re-enter your prompt'],
  [429, ALL_ACCOUNTS_BUSY],
  [500, 'Internal Server Error'],
  [503, 'Service Unavailable'],
  [596, PENDING_ERROR],
]);

/** Thrown to answer a request with an error status. The HTTP layer writes it in the shape of the endpoint. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message = defaultTexts.get(status) ?? `Error ${status}`) {
    super(message);
    this.status = status;
  }
}
