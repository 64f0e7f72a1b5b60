import { z } from 'zod';
import { ApiError } from '../api-error.ts';
import { voices } from '../render/voices.ts';
import type { LipsyncRequest } from './job.ts';

const MAX_PROMPT_LENGTH = 200;
const MAX_REPLY_LENGTH = 1024;

/** Multipart sends every value as text. The documentation has speaker_id as a number here and as a string elsewhere. */
const flag = z
  .union([z.boolean(), z.enum(['true', 'false']).transform((value) => value === 'true')])
  .default(false);
const integer = z.preprocess(
  (value) => (typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value),
  z.number().int(),
);

/** The unit of the length limits is not documented; the sandbox counts code points. */
const text = (maxLength: number) =>
  z
    .string()
    .refine((value) => [...value].length <= maxLength, `is too long, maximum is ${maxLength}`);

const fieldsSchema = z.object({
  video_id: z.string().optional(),
  video_path: z.string().optional(),
  audio_path: z.string().optional(),
  prompt: text(MAX_PROMPT_LENGTH).optional(),
  speaker_id: integer.optional(),
  original_sound_switch: flag,
  off_peak_mode: flag,
  email: z.string().optional(),
  replyUrl: text(MAX_REPLY_LENGTH)
    .refine((value) => /^https?:\/\//.test(value), 'is not an http(s) URL')
    .optional(),
  replyRef: text(MAX_REPLY_LENGTH).optional(),
  maxJobs: integer.pipe(z.number().min(1).max(8)).optional(),
});

/** Applies the documented limits, and what the documentation implies: one source of picture and one of sound. */
export function parseLipsync(
  fields: Record<string, unknown>,
  profile: '2024-12' | '2026',
): LipsyncRequest {
  // Empty and null mean "not given", since the documentation's own example has such placeholders.
  const given = Object.entries(fields).filter(([, value]) => value !== null && value !== '');
  const parsed = fieldsSchema.safeParse(Object.fromEntries(given));
  if (!parsed.success) throw new ApiError(400, describe(parsed.error));
  const input = parsed.data;
  if (!input.video_id && (profile === '2024-12' || !input.video_path)) {
    throw new ApiError(400, 'Parameter video_id is required.');
  }
  if (input.video_id && input.video_path) {
    throw new ApiError(400, 'Parameters video_id and video_path exclude each other.');
  }
  if (!(input.audio_path || input.prompt)) {
    throw new ApiError(400, 'Parameter audio_path or prompt is required.');
  }
  const speakerId = input.speaker_id === undefined ? undefined : String(input.speaker_id);
  if (speakerId && !voices.some((voice) => voice.id === speakerId)) {
    throw new ApiError(400, `Parameter speaker_id ${speakerId} is not a known voice.`);
  }
  return withoutUndefined({
    videoId: input.video_id,
    videoPath: input.video_path,
    audioPath: input.audio_path,
    prompt: input.prompt,
    speakerId,
    originalSound: input.original_sound_switch,
    offPeak: input.off_peak_mode,
    email: input.email,
    replyUrl: input.replyUrl,
    replyRef: input.replyRef,
    maxJobs: input.maxJobs,
  });
}

type Loose<T> = { [K in keyof T]: T[K] | undefined };

function withoutUndefined(value: Loose<Required<LipsyncRequest>>): LipsyncRequest {
  const kept = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(kept) as LipsyncRequest;
}

function describe(error: z.ZodError): string {
  const [issue] = error.issues;
  return `Parameter ${issue?.path.join('.')}: ${issue?.message}.`;
}
