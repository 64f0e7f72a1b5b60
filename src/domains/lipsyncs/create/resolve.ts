import { InvalidInputError, NotFoundError } from '../../../errors.ts';
import type { Engine } from '../dependencies.ts';
import type { Draft } from './admit.ts';
import { type CreateInput, usualEvents } from './input.ts';

/** The upstream takes audio of at most 60 seconds. */
const maxAudioSeconds = 60;

/** Looks up everything the request refers to, all at the same time. Throws failures. */
export async function resolve(
  engine: Engine,
  request: { owner: string; canSeeAll: boolean; input: CreateInput; fingerprint: string },
): Promise<Draft> {
  const { owner, input, fingerprint } = request;
  // How many jobs each account takes must be known before one is sent there, and whether it can pay for one.
  const accounts = await engine.accounts.listPresent();
  const [source, speech] = await Promise.all([
    resolveVideo(engine, request),
    resolveSpeech(engine, request),
    engine.accounts.guardCredits(accounts),
  ]);
  return {
    owner,
    reference: input.reference,
    keepOriginalSound: input.keepOriginalSound,
    offPeak: input.offPeak,
    maxJobs: input.maxJobs,
    callbackUrl: input.callbackUrl,
    callbackEvents: input.callbackEvents ?? [...usualEvents],
    idempotencyKey: input.idempotencyKey,
    expiresAt: input.expiresAt,
    fingerprint,
    ...source,
    ...speech,
  };
}

async function resolveVideo(
  engine: Engine,
  request: { owner: string; canSeeAll: boolean; input: CreateInput },
): Promise<
  Pick<Draft, 'sourceVideoId' | 'sourceVideo' | 'sourcePath' | 'accountId' | 'isAccountFixed'>
> {
  const { video } = request.input;
  if ('uploadKey' in video) {
    const upload = await findUpload(engine, request.owner, video.uploadKey);
    if (upload.kind !== 'VIDEO') throw invalid(['video', 'uploadId'], 'This upload is no video.');
    return {
      sourceVideoId: null,
      sourceVideo: null,
      sourcePath: upload.path,
      accountId: null,
      isAccountFixed: false,
    };
  }
  const source = video.key === null ? null : await engine.videos.resolveSource(request, video.key);
  if (source === null || video.key === null) throw new NotFoundError('The video');
  return {
    sourceVideoId: video.key,
    sourceVideo: source.video,
    sourcePath: null,
    accountId: source.accountId,
    isAccountFixed: source.accountId !== null,
  };
}

async function resolveSpeech(
  engine: Engine,
  { owner, input }: { owner: string; input: CreateInput },
): Promise<Pick<Draft, 'text' | 'voice' | 'audioPath' | 'mediaSeconds'>> {
  const { speech } = input;
  if ('text' in speech) {
    return {
      text: speech.text,
      voice: await findVoice(engine, speech.voiceKey),
      audioPath: null,
      mediaSeconds: null,
    };
  }
  const upload = await findUpload(engine, owner, speech.audioUploadKey);
  const path = ['speech', 'audioUploadId'];
  if (upload.kind !== 'AUDIO') throw invalid(path, 'This upload is no audio.');
  if (upload.durationSeconds !== null && upload.durationSeconds > maxAudioSeconds) {
    throw invalid(path, `The audio is longer than ${maxAudioSeconds} seconds.`);
  }
  return { text: null, voice: null, audioPath: upload.path, mediaSeconds: upload.durationSeconds };
}

async function findVoice(engine: Engine, key: string | null | undefined) {
  if (key === undefined) return null;
  const voice = key === null ? null : await engine.voices.find(key);
  if (voice === null) throw invalid(['speech', 'text', 'voiceId'], 'There is no such voice.');
  return voice;
}

async function findUpload(engine: Engine, owner: string, key: string | null) {
  const upload = key === null ? null : await engine.uploads.findReady(owner, key);
  if (upload === null) throw new NotFoundError('The upload, finished and not expired,');
  return upload;
}

function invalid(path: string[], message: string): InvalidInputError {
  return new InvalidInputError([{ path: ['input', ...path], message }]);
}
