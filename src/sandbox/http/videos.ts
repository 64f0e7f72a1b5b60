import { Hono } from 'hono';
import { ApiError } from '../api-error.ts';
import { findVideo, pageOfVideos } from '../jobs/find-video.ts';
import { isFinal } from '../jobs/job.ts';
import { toItem, type Video } from '../jobs/video.ts';
import { parseVideoId } from '../jobs/video-id.ts';
import { listVoices } from '../render/voices.ts';
import type { SandboxState } from '../state.ts';
import type { SandboxContext, SandboxEnv } from './context.ts';
import { readAccount, readCount, readRawId } from './parameters.ts';
import { deletedResponse, jsonResponse } from './responses.ts';

const DEFAULT_LIMIT = 40;
/** The real maximum is not known. */
const MAX_LIMIT = 1000;

export const videoRoutes = new Hono<SandboxEnv>()
  .get('/videos', getVideos)
  .get('/videos/voices', getVoices)
  .get('/videos/:id', getVideo)
  .delete('/videos/:id', deleteVideo);

function getVideos(c: SandboxContext): Response {
  const { state } = c.env;
  const account = readAccount(c);
  const limit = readCount(c, 'limit') ?? DEFAULT_LIMIT;
  const offset = readCount(c, 'offset') ?? 0;
  if (limit < 1 || limit > MAX_LIMIT) throw new ApiError(400, 'Parameter limit is out of range.');
  const { page, total } = pageOfVideos(state, account, { offset, limit });
  const data = page.map((video) => itemOf(video, true, state));
  const next = offset + data.length;
  const paging = { next_offset: next, has_more: next < total };
  return jsonResponse(200, state.switches.current.nextOffset ? { data, ...paging } : { data });
}

function getVoices(c: SandboxContext): Response {
  readAccount(c);
  return jsonResponse(200, { tts_list: listVoices(c.env.state.origin) });
}

/** 404 for an unknown video and, as documented, for one without a final status. */
function getVideo(c: SandboxContext): Response {
  const { state } = c.env;
  const id = readRawId(c);
  if (!parseVideoId(id)) throw new ApiError(400, 'The video id is malformed.');
  const video = findVideo(state, id);
  const isShown = video && (isFinal(video.status) || video.effects.getOne === '200');
  if (!isShown) throw new ApiError(404, 'Video not found');
  return jsonResponse(200, itemOf(video, false, state));
}

async function deleteVideo(c: SandboxContext): Promise<Response> {
  const { state } = c.env;
  const id = readRawId(c);
  const parts = parseVideoId(id);
  if (!parts) throw new ApiError(400, 'The video id is malformed.');
  const video = findVideo(state, id);
  const account = state.accounts.find(parts.email);
  if (!(video && account)) throw new ApiError(404, 'Video not found');
  const job = state.jobs.find(id);
  if (!job) {
    account.deletedVideos.push(video.number);
    await state.accounts.save();
    return deletedResponse(c, { video_id: id });
  }
  await state.jobs.remove(job);
  const file = job.result?.file;
  const isShared = [...state.jobs.list()].some((other) => other.result?.file === file);
  if (file && !isShared) await state.results.remove(file);
  return deletedResponse(c, { video_id: id });
}

function itemOf(video: Video, inList: boolean, state: SandboxState) {
  const withReplyRef = state.switches.current.replyRefInLists === true;
  return toItem(video, { profile: state.profile(), inList, withReplyRef });
}
