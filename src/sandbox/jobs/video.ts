import type { JobEffects } from '../faults/job-effects.ts';
import type { Account } from '../storage/accounts.ts';
import { type LibraryVideo, libraryNumber } from '../storage/library.ts';
import { isFinal, type Job, type Status, statusCodes } from './job.ts';
import { formatVideoId } from './video-id.ts';

/** A video of the API: from the library or made by a job. */
export type Video = {
  id: string;
  number: string;
  accountId: number;
  status: Status;
  createdAtMs: number;
  prompt: string;
  width: number;
  height: number;
  durationSeconds: number;
  posterUrl: string;
  url: string;
  sourceId: string | null;
  replyRef: string | undefined;
  isOffPeak: boolean;
  effects: JobEffects;
};

export function libraryVideo(
  from: { account: Account; userId: string; origin: string },
  { item, index }: { item: LibraryVideo; index: number },
): Video {
  const number = libraryNumber(from.account.email, index);
  return {
    id: formatVideoId(from.userId, from.account.email, number),
    number,
    accountId: from.account.accountId,
    status: 'COMPLETED',
    createdAtMs: item.createdAtMs,
    prompt: item.prompt,
    width: item.width,
    height: item.height,
    durationSeconds: item.durationSeconds,
    posterUrl: item.poster ? `${from.origin}/media/${item.poster}` : '',
    url: `${from.origin}/media/${item.file}`,
    sourceId: null,
    replyRef: undefined,
    isOffPeak: false,
    effects: {},
  };
}

export function jobVideo(
  job: Job,
  from: { accountId: number; origin: string; posterUrl: string; effects: JobEffects },
): Video {
  const isDone = job.status === 'COMPLETED';
  const showsUrl = isDone || (!isFinal(job.status) && from.effects.urlWhileRunning === true);
  return {
    id: job.id,
    number: job.number,
    accountId: from.accountId,
    status: job.status,
    createdAtMs: job.createdAtMs,
    prompt: job.request.prompt ?? '',
    width: isDone ? (job.result?.width ?? 0) : 0,
    height: isDone ? (job.result?.height ?? 0) : 0,
    durationSeconds: isDone ? (job.result?.durationSeconds ?? 0) : 0,
    posterUrl: isDone ? from.posterUrl : '',
    url: showsUrl ? `${from.origin}/results/${job.number}.mp4` : '',
    sourceId: job.request.videoId ?? null,
    replyRef: job.request.replyRef,
    isOffPeak: job.request.offPeak,
    effects: from.effects,
  };
}

/** The item of GET /videos/{id}; with `inList` that of GET /videos, whose documented example differs in `lip_sync`. */
export function toItem(
  video: Video,
  options: { profile: '2024-12' | '2026'; inList: boolean; withReplyRef: boolean },
): Record<string, unknown> {
  return {
    video_id: video.id,
    ...statusFields(video, options.profile),
    account_id: video.accountId,
    created_at: new Date(video.createdAtMs).toISOString().replace(/\.\d+Z$/, 'Z'),
    first_frame: video.posterUrl,
    last_frame: '',
    output_width: video.width,
    output_height: video.height,
    original_video_id: video.sourceId ?? 0,
    upscaled: 0,
    extended: 0,
    prompt: video.prompt,
    negative_prompt: '',
    quality: '360p',
    motion_mode: 'normal',
    asset_id: 0,
    auto_character_prompt: 0,
    seed: 0,
    likes: 0,
    queue_data: { queue_time: 0, queue_count: 0 },
    // Whole seconds, as in the documentation's example.
    video_duration: Math.round(video.durationSeconds),
    duration: Math.round(video.durationSeconds),
    lip_sync: options.inList ? {} : null,
    url: video.url,
    img_id: 0,
    img_url: video.posterUrl,
    ...unusedFields(options.profile),
    ...(options.profile === '2026' ? { off_peak: video.isOffPeak ? 1 : 0 } : {}),
    ...(options.withReplyRef && video.replyRef !== undefined ? { replyRef: video.replyRef } : {}),
  };
}

function statusFields(video: Video, profile: '2024-12' | '2026'): Record<string, unknown> {
  if (video.status === 'GENERATING' && video.effects.unknownStatus) return { video_status: 42 };
  const video_status = statusCodes[video.status];
  const isFinalStatus = isFinal(video.status);
  // In December 2024 moderated and failed were not in the documented map, so they have no name there.
  if (profile === '2024-12' && isFinalStatus && video.status !== 'COMPLETED') {
    return { video_status, video_status_final: true };
  }
  const showsFinal =
    video.status === 'QUEUED' && (video.effects.queuedFinal ?? profile === '2024-12');
  return {
    video_status,
    video_status_name: video.status,
    video_status_final: isFinalStatus || showsFinal,
  };
}

/** Fields of the documented example that do not concern a lip-sync. */
function unusedFields(profile: '2024-12' | '2026'): Record<string, unknown> {
  return {
    model: profile === '2026' ? 'v5' : 'v3',
    model_name: '',
    motion_brush: '',
    asset_name: '',
    asset_img_url: '',
    remove_watermark: 0,
    nick_name: 'sandbox',
    avatar: '',
    aspect_ratio: '',
    camera_movement: 'default',
    relation_type: 0,
    style: '',
    template_id: 0,
    template_name: '',
    template_thumbnail_url: '',
    template_thumbnail_video_url: '',
    template_i18n_json: '{}',
    workflow_tag: '',
    customer_paths: null,
  };
}
