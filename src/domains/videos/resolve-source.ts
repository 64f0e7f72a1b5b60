import type { Database } from '../../database/connect.ts';
import { GroupedWork } from '../../database/grouped.ts';
import { InvalidInputError } from '../../errors.ts';
import type { VideoDependencies, Viewer } from './dependencies.ts';
import { accountEmailOf } from './endpoints.ts';
import { createDirectReader } from './lists/cached-lists.ts';
import { findVideo } from './load.ts';
import { isFinalStatus } from './status.ts';
import { readVideoCopies, type VideoCopy } from './store.ts';
import { isDeleted, type StoredVideo } from './stored-video.ts';

/** A finished video as the source of a lip-sync. `accountId`: the only account that can use it; null if the id names none. */
export type VideoSource = { upstreamId: string; accountId: string | null; video: StoredVideo };

/** Reads the stored copies for all sources that are resolved at the same time together. */
export function createSourceResolver(deps: VideoDependencies) {
  const copies = new GroupedWork((asked: readonly Asked[]) => readCopies(deps.db, asked));
  return {
    resolve: (viewer: Viewer, key: string) => resolveSource(deps, { viewer, key }, copies),
    findAccount: (viewer: Viewer, key: string) => findAccount(deps, { viewer, key }, copies),
  };
}

type Asked = { owner: string; key: string };

/** One statement for each owner. */
async function readCopies(
  db: Database,
  asked: readonly Asked[],
): Promise<(VideoCopy | undefined)[]> {
  const byOwner = Map.groupBy(asked, ({ owner }) => owner);
  const reads = [...byOwner].map(async ([owner, own]) => {
    const keys = new Set(own.map(({ key }) => key));
    const copies = await readVideoCopies(db, owner, [...keys]);
    return [owner, new Map(copies.map((copy) => [copy.key, copy]))] as const;
  });
  const found = new Map(await Promise.all(reads));
  return asked.map(({ owner, key }) => found.get(owner)?.get(key));
}

async function resolveSource(
  deps: VideoDependencies,
  { viewer, key }: { viewer: Viewer; key: string },
  copies: GroupedWork<Asked, VideoCopy | undefined>,
): Promise<VideoSource | null> {
  const visible = await findVisible(deps, { viewer, key }, copies);
  if (visible === null) return null;
  const { upstreamId, copy } = visible;
  const video = await readFinished(deps, copy.video, { key, upstreamId });
  if (video === null) return null;
  return { upstreamId, accountId: await accountOf(deps, upstreamId), video };
}

/** Does not query the upstream, so the video may no longer exist. Null if this viewer cannot see it. */
async function findAccount(
  deps: VideoDependencies,
  wanted: { viewer: Viewer; key: string },
  copies: GroupedWork<Asked, VideoCopy | undefined>,
): Promise<Pick<VideoSource, 'accountId'> | null> {
  const visible = await findVisible(deps, wanted, copies);
  return visible && { accountId: await accountOf(deps, visible.upstreamId) };
}

async function findVisible(
  deps: VideoDependencies,
  { viewer, key }: { viewer: Viewer; key: string },
  copies: GroupedWork<Asked, VideoCopy | undefined>,
): Promise<{ upstreamId: string; copy: VideoCopy } | null> {
  const upstreamId = await deps.ids.toUpstream(key);
  if (upstreamId === null) return null;
  const copy = await copies.run({ owner: viewer.owner, key });
  if (copy === undefined || !(copy.isOwn || viewer.canSeeAll)) return null;
  return { upstreamId, copy };
}

async function accountOf(deps: VideoDependencies, upstreamId: string): Promise<string | null> {
  const email = accountEmailOf(upstreamId);
  return email === null ? null : deps.accounts.idOf(email);
}

async function readFinished(
  deps: VideoDependencies,
  stored: StoredVideo | null,
  ids: { key: string; upstreamId: string },
): Promise<StoredVideo | null> {
  if (stored?.status === 'COMPLETED' && !isDeleted(stored)) return stored;
  // Read now: a job that is charged must not depend on an older answer.
  const found = await findVideo(createDirectReader(deps), ids);
  if (found === null || found.status === 'COMPLETED') return found;
  const message = isFinalStatus(found.status)
    ? 'This video was not created successfully, so it cannot be used.'
    : 'The video is not finished yet. Try again when it is COMPLETED.';
  throw new InvalidInputError([
    { path: ['input', 'video', 'videoId'], message, code: 'WRONG_STATUS' },
  ]);
}
