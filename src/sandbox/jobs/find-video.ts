import { join } from 'node:path';
import type { Account } from '../storage/accounts.ts';
import { Refusal } from '../http/responses.ts';
import { isFinal, type Job, readVideoId } from './job.ts';
import { libraryNumber, MEDIA_DIR } from '../storage/library.ts';
import { jobVideo, libraryVideo, type Video, videoIdOf } from './video.ts';
import type { World } from '../state.ts';

/** The account a listing is about: the one named, or the only one there is. */
export function accountOfQuery(world: World, email: string | null): Account {
  const all = world.accounts.list();
  if (email === null || email === '') {
    const [only] = all;
    if (only && all.length === 1) return only;
    throw new Refusal(400, 'Parameter email is required when more than one account is configured.');
  }
  const account = world.accounts.find(email);
  if (!account) throw new Refusal(404, `Account ${email} is not configured.`);
  return account;
}

/** A page of the account's videos, newest first, and how many there are. */
export function pageOfVideos(
  world: World,
  account: Account,
  { offset, limit }: { offset: number; limit: number },
): { page: Video[]; total: number } {
  const own = [...world.jobs.list()].filter((job) => job.email === account.email);
  const all = [...own.reverse(), ...libraryOf(world, account).reverse()];
  const page = all.slice(offset, offset + limit);
  return {
    page: page.map((each) => ('request' in each ? videoOfJob(world, each) : each)),
    total: all.length,
  };
}

export function findVideo(world: World, id: string): Video | undefined {
  const parts = readVideoId(id);
  const account = parts && world.accounts.find(parts.email);
  if (!account) return undefined;
  const job = world.jobs.find(id);
  return job ? videoOfJob(world, job) : libraryOf(world, account).find((video) => video.id === id);
}

export function videoOfJob(world: World, job: Job): Video {
  return jobVideo(job, {
    accountId: world.accounts.find(job.email)?.accountId ?? 0,
    origin: world.origin,
    posterUrl: posterOf(world, job),
    twists: world.switches.twistsFor(job.twists),
  });
}

/** Where the file of a finished video lies, to be the picture of another. */
export function pictureOf(world: World, id: string): string | null {
  const job = world.jobs.find(id);
  if (job) return job.result ? join(world.results.folder, job.result.file) : null;
  const item = libraryItem(world, id);
  return item ? join(MEDIA_DIR, item.file) : null;
}

function libraryOf(world: World, account: Account): Video[] {
  const { origin, userId } = world;
  return world.library
    .map((item, index) => libraryVideo({ account, userId, origin }, { item, index }))
    .filter((video) => !account.deletedVideos.includes(video.number));
}

function libraryItem(world: World, id: string) {
  const email = readVideoId(id)?.email ?? '';
  return world.library.find(
    (_, index) => videoIdOf(world.userId, email, libraryNumber(email, index)) === id,
  );
}

/** A result has the poster of the library video it goes back to, or none. */
function posterOf(world: World, job: Job): string {
  let sourceId = job.request.videoId;
  for (let source = job; sourceId; sourceId = source.request.videoId) {
    const next = world.jobs.find(sourceId);
    if (!next) break;
    source = next;
  }
  const poster = sourceId && libraryItem(world, sourceId)?.poster;
  return poster ? `${world.origin}/media/${poster}` : '';
}

/** Files of uploads and results that a job which has not ended will read. */
export function isNeededByRunning(world: World, name: string): boolean {
  for (const job of world.jobs.running()) {
    const { videoPath, audioPath, videoId } = job.request;
    if (videoPath?.endsWith(name) || audioPath?.endsWith(name)) return true;
    const source = videoId && world.jobs.find(videoId);
    if (source && isFinal(source.status) && source.result?.file === name) return true;
  }
  return false;
}
