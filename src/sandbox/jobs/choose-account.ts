import {
  ALL_ACCOUNTS_BUSY,
  ApiError,
  accountBusy,
  NO_CREDITS,
  PENDING_ERROR,
  PROVIDER_LIMIT,
} from '../api-error.ts';
import type { SandboxState } from '../state.ts';
import { type Account, priceOf } from '../storage/accounts.ts';
import { findVideo } from './find-video.ts';
import { isFinal, type LipsyncRequest } from './job.ts';
import { parseVideoId } from './video-id.ts';

/**
 * The account that does a lip-sync. A video id names it; an uploaded video goes to the account of `email`, or to the one
 * with the most free slots.
 */
export function chooseAccount(request: LipsyncRequest, state: SandboxState): Account {
  const fixed = request.videoId
    ? accountOfVideo(request.videoId, state)
    : accountOfEmail(request, state);
  checkUploads(request, state);
  const account = fixed ?? accountWithMostFreeSlots(request, state);
  if (hasPendingError(account, state)) throw new ApiError(596, PENDING_ERROR);
  if (creditsOf(account, state) < priceOf(request)) throw new ApiError(412, NO_CREDITS);
  if (state.switches.consume('providerLimitNext')) throw new ApiError(429, PROVIDER_LIMIT);
  if (!isUntracked(request) && freeSlots(account, request, state) <= 0) {
    const message = accountBusy(account.email, slotLimit(account, request));
    throw new ApiError(429, fixed ? message : ALL_ACCOUNTS_BUSY);
  }
  return account;
}

/** useapi.net does not track off-peak jobs, so they use no slot. */
export const isUntracked = (request: LipsyncRequest) => request.offPeak;

export function hasPendingError(account: Account, state: SandboxState): boolean {
  return account.hasPendingError || state.switches.current.account596 === account.email;
}

export function creditsOf(account: Account, state: SandboxState): number {
  return state.switches.current.account412 === account.email ? 0 : account.credits;
}

function accountOfVideo(videoId: string, state: SandboxState): Account {
  const parts = parseVideoId(videoId);
  if (!parts) throw new ApiError(400, 'Parameter video_id is malformed.');
  const video = findVideo(state, videoId);
  const account = state.accounts.find(parts.email);
  if (!(video && account)) throw new ApiError(404, 'Video not found');
  if (video.status !== 'COMPLETED') {
    throw new ApiError(400, `Video is ${isFinal(video.status) ? video.status : 'not ready yet'}.`);
  }
  return account;
}

function accountOfEmail(request: LipsyncRequest, state: SandboxState): Account | undefined {
  if (!request.email) return undefined;
  const account = state.accounts.find(request.email);
  if (!account) throw new ApiError(400, `Account ${request.email} is not configured.`);
  return account;
}

/** Of the accounts that can do the job. When there is none, any account: its own error is the answer. */
function accountWithMostFreeSlots(request: LipsyncRequest, state: SandboxState): Account {
  const all = state.accounts.list();
  const healthy = all.filter((account) => !hasPendingError(account, state));
  const solvent = healthy.filter((account) => creditsOf(account, state) >= priceOf(request));
  const free = (account: Account) => freeSlots(account, request, state);
  const [best] = solvent.toSorted((a, b) => free(b) - free(a));
  const chosen = best ?? healthy[0] ?? all[0];
  if (!chosen) throw new ApiError(400, 'No account is configured.');
  return chosen;
}

/** A request can lower the limit of its account, never raise it. */
function slotLimit(account: Account, request: LipsyncRequest): number {
  return Math.min(account.maxJobs, request.maxJobs ?? account.maxJobs);
}

function freeSlots(account: Account, request: LipsyncRequest, state: SandboxState): number {
  return slotLimit(account, request) - state.jobs.executing(account.email).length;
}

function checkUploads(request: LipsyncRequest, state: SandboxState) {
  for (const path of [request.videoPath, request.audioPath]) {
    const isKnown = path?.startsWith('upload/') && state.uploads.has(path.slice('upload/'.length));
    if (path && !isKnown) throw new ApiError(400, `Unable to find uploaded file ${path}.`);
  }
}
