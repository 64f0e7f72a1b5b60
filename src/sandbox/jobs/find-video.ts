import { join } from 'node:path';
import type { SandboxState } from '../state.ts';
import type { Account } from '../storage/accounts.ts';
import { libraryNumber, MEDIA_DIR } from '../storage/library.ts';
import { isFinal, type Job } from './job.ts';
import { jobVideo, libraryVideo, type Video } from './video.ts';
import { formatVideoId, parseVideoId } from './video-id.ts';

/** A page of the account's videos, newest first, and the number of all its videos. */
export function pageOfVideos(
  state: SandboxState,
  account: Account,
  { offset, limit }: { offset: number; limit: number },
): { page: Video[]; total: number } {
  const own = [...state.jobs.list()].filter((job) => job.email === account.email);
  const all = [...own.reverse(), ...libraryOf(state, account).reverse()];
  const page = all.slice(offset, offset + limit);
  return {
    page: page.map((each) => ('request' in each ? videoOfJob(state, each) : each)),
    total: all.length,
  };
}

export function findVideo(state: SandboxState, id: string): Video | undefined {
  const parts = parseVideoId(id);
  const account = parts && state.accounts.find(parts.email);
  if (!account) return undefined;
  const job = state.jobs.find(id);
  return job ? videoOfJob(state, job) : libraryOf(state, account).find((video) => video.id === id);
}

export function videoOfJob(state: SandboxState, job: Job): Video {
  return jobVideo(job, {
    accountId: state.accounts.find(job.email)?.accountId ?? 0,
    origin: state.origin,
    posterUrl: posterOf(state, job),
    effects: state.switches.effectsOn(job.effects),
  });
}

/** The file of a finished video, for use as the picture of another one. */
export function pictureFileOf(state: SandboxState, id: string): string | null {
  const job = state.jobs.find(id);
  if (job) return job.result ? join(state.results.folder, job.result.file) : null;
  const item = libraryItem(state, id);
  return item ? join(MEDIA_DIR, item.file) : null;
}

function libraryOf(state: SandboxState, account: Account): Video[] {
  const { origin, userId } = state;
  return state.library
    .map((item, index) => libraryVideo({ account, userId, origin }, { item, index }))
    .filter((video) => !account.deletedVideos.includes(video.number));
}

function libraryItem(state: SandboxState, id: string) {
  const email = parseVideoId(id)?.email ?? '';
  return state.library.find(
    (_, index) => formatVideoId(state.userId, email, libraryNumber(email, index)) === id,
  );
}

/** The poster of the library video at the start of the chain of sources; empty when the chain starts with an upload. */
function posterOf(state: SandboxState, job: Job): string {
  let sourceId = job.request.videoId;
  for (let source = job; sourceId; sourceId = source.request.videoId) {
    const next = state.jobs.find(sourceId);
    if (!next) break;
    source = next;
  }
  const poster = sourceId && libraryItem(state, sourceId)?.poster;
  return poster ? `${state.origin}/media/${poster}` : '';
}

/** Whether a running job will read this file of the uploads or results. */
export function isNeededByRunningJob(state: SandboxState, name: string): boolean {
  for (const job of state.jobs.running()) {
    const { videoPath, audioPath, videoId } = job.request;
    if (videoPath?.endsWith(name) || audioPath?.endsWith(name)) return true;
    const source = videoId && state.jobs.find(videoId);
    if (source && isFinal(source.status) && source.result?.file === name) return true;
  }
  return false;
}
