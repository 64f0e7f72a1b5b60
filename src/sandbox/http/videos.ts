import { answerJson, answerNothing, Refusal, type Reply } from './responses.ts';
import type { Call } from './body.ts';
import { accountOfQuery, findVideo, pageOfVideos } from '../jobs/find-video.ts';
import { isFinal, readVideoId } from '../jobs/job.ts';
import { toItem, type Video } from '../jobs/video.ts';
import { listVoices } from '../render/voices.ts';
import type { Route, World } from '../state.ts';

const DEFAULT_LIMIT = 40;
/** The real limit is not known. */
const MAX_LIMIT = 1000;

export const videoRoutes: Route[] = [
  { method: 'GET', path: '/videos', handle: listVideos },
  { method: 'GET', path: '/videos/voices', handle: getVoices },
  { method: 'GET', path: '/videos/:id', handle: getVideo },
  { method: 'DELETE', path: '/videos/:id', handle: deleteVideo },
];

/** What a DELETE answers: its status is not documented, so both readings are offered. */
export function answerDeleted(world: World, value: object): Reply {
  return world.switches.now.deleteBody === 'json' ? answerJson(200, value) : answerNothing();
}

/** Ids are written raw; useapi.net refuses the percent-encoded form. */
export function readRawId(call: Call): string {
  if (call.parameter.includes('%')) throw new Refusal(400, 'The id must not be percent-encoded.');
  return call.parameter;
}

function listVideos(call: Call, world: World): Reply {
  const account = accountOfQuery(world, call.query.get('email'));
  const limit = readCount(call.query, 'limit') ?? DEFAULT_LIMIT;
  const offset = readCount(call.query, 'offset') ?? 0;
  if (limit < 1 || limit > MAX_LIMIT) throw new Refusal(400, 'Parameter limit is out of range.');
  const { page, total } = pageOfVideos(world, account, { offset, limit });
  const data = page.map((video) => show(video, true, world));
  const next = offset + data.length;
  const paging = { next_offset: next, has_more: next < total };
  return answerJson(200, world.switches.now.nextOffset ? { data, ...paging } : { data });
}

function getVoices(call: Call, world: World): Reply {
  accountOfQuery(world, call.query.get('email'));
  return answerJson(200, { tts_list: listVoices(world.origin) });
}

/** 404 until the video is final, as documented, and for a video that never was. */
function getVideo(call: Call, world: World): Reply {
  const id = readRawId(call);
  if (!readVideoId(id)) throw new Refusal(400, 'The video id is malformed.');
  const video = findVideo(world, id);
  const isShown = video && (isFinal(video.status) || video.twists.getOne === '200');
  if (!isShown) throw new Refusal(404, 'Video not found');
  return answerJson(200, show(video, false, world));
}

async function deleteVideo(call: Call, world: World): Promise<Reply> {
  const id = readRawId(call);
  const parts = readVideoId(id);
  if (!parts) throw new Refusal(400, 'The video id is malformed.');
  const video = findVideo(world, id);
  const account = world.accounts.find(parts.email);
  if (!(video && account)) throw new Refusal(404, 'Video not found');
  const job = world.jobs.find(id);
  if (!job) {
    account.deletedVideos.push(video.number);
    await world.accounts.save();
    return answerDeleted(world, { video_id: id });
  }
  await world.jobs.remove(job);
  const file = job.result?.file;
  const isShared = [...world.jobs.list()].some((other) => other.result?.file === file);
  if (file && !isShared) await world.results.remove(file);
  return answerDeleted(world, { video_id: id });
}

function show(video: Video, inList: boolean, world: World) {
  const withReplyRef = world.switches.now.replyRefInLists === true;
  return toItem(video, { profile: world.profile(), inList, withReplyRef });
}

function readCount(query: URLSearchParams, name: string): number | undefined {
  const given = query.get(name);
  if (given === null || given === '') return undefined;
  if (!/^\d{1,9}$/.test(given)) throw new Refusal(400, `Parameter ${name} must be a whole number.`);
  return Number(given);
}
