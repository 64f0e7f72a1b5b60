import { type Account, LIPSYNC_CREDITS } from '../storage/accounts.ts';
import { ALL_BUSY, NO_CREDITS, PENDING_ERROR, PROVIDER_LIMIT, Refusal } from '../http/responses.ts';
import { findVideo } from './find-video.ts';
import { isFinal, type LipsyncRequest, readVideoId } from './job.ts';
import type { World } from '../state.ts';

export const busyText = (email: string, maxJobs: number) =>
  `Account ${email} is busy executing ${maxJobs} tasks.`;

/** The id names the account; an uploaded video may go to the one asked for, or to any with room. */
export function chooseAccount(request: LipsyncRequest, world: World): Account {
  const fixed = request.videoId ? ownerOf(request.videoId, world) : namedAccount(request, world);
  checkUploads(request, world);
  const account = fixed ?? anyAccount(request, world);
  if (isPending(account, world)) throw new Refusal(596, PENDING_ERROR);
  if (creditsOf(account, world) < LIPSYNC_CREDITS) throw new Refusal(412, NO_CREDITS);
  if (world.switches.take('providerLimitNext')) throw new Refusal(429, PROVIDER_LIMIT);
  if (!hasRoom(account, request, world)) {
    const limit = Math.min(account.maxJobs, request.maxJobs ?? account.maxJobs);
    throw new Refusal(429, fixed ? busyText(account.email, limit) : ALL_BUSY);
  }
  return account;
}

function ownerOf(videoId: string, world: World): Account {
  const parts = readVideoId(videoId);
  if (!parts) throw new Refusal(400, 'Parameter video_id is malformed.');
  const video = findVideo(world, videoId);
  const account = world.accounts.find(parts.email);
  if (!(video && account)) throw new Refusal(404, 'Video not found');
  if (video.status !== 'COMPLETED') {
    throw new Refusal(400, `Video is ${isFinal(video.status) ? video.status : 'not ready yet'}.`);
  }
  return account;
}

function namedAccount(request: LipsyncRequest, world: World): Account | undefined {
  if (!request.email) return undefined;
  const account = world.accounts.find(request.email);
  if (!account) throw new Refusal(400, `Account ${request.email} is not configured.`);
  return account;
}

/** The healthy account with most room, also when that is none. */
function anyAccount(request: LipsyncRequest, world: World): Account {
  const all = world.accounts.list();
  const healthy = all.filter((account) => !isPending(account, world));
  const solvent = healthy.filter((account) => creditsOf(account, world) >= LIPSYNC_CREDITS);
  const free = (account: Account) =>
    Math.min(account.maxJobs, request.maxJobs ?? account.maxJobs) -
    world.jobs.executing(account.email).length;
  const [best] = solvent.toSorted((a, b) => free(b) - free(a));
  const chosen = best ?? healthy[0] ?? all[0];
  if (!chosen) throw new Refusal(400, 'No account is configured.');
  return chosen;
}

function checkUploads(request: LipsyncRequest, world: World) {
  for (const path of [request.videoPath, request.audioPath]) {
    const isKnown = path?.startsWith('upload/') && world.uploads.has(path.slice('upload/'.length));
    if (path && !isKnown) throw new Refusal(400, `Unable to find uploaded file ${path}.`);
  }
}

function hasRoom(account: Account, request: LipsyncRequest, world: World): boolean {
  if (isUntracked(request)) return true;
  const limit = Math.min(account.maxJobs, request.maxJobs ?? account.maxJobs);
  return world.jobs.executing(account.email).length < limit;
}

/** useapi.net does not track off-peak jobs, so they use no slot. */
export const isUntracked = (request: LipsyncRequest) => request.offPeak;

export function isPending(account: Account, world: World): boolean {
  return account.hasPendingError || world.switches.now.account596 === account.email;
}

export function creditsOf(account: Account, world: World): number {
  return world.switches.now.account412 === account.email ? 0 : account.credits;
}
