import { type InputIssueCode, InvalidInputError, NotFoundError } from '../../../errors.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import type { Lipsync } from '../store/lipsyncs.ts';
import { type CreateInput, defaultEvents, listUnsupportedUrls } from './input.ts';

/** A checked request with everything it refers to looked up: the columns that its row begins with. */
export type ResolvedRequest = Pick<
  Lipsync,
  | 'owner'
  | 'reference'
  | 'text'
  | 'voice'
  | 'sourceVideoId'
  | 'sourceVideo'
  | 'sourceUploadId'
  | 'sourcePath'
  | 'speechUploadId'
  | 'audioPath'
  | 'mediaSeconds'
  | 'keepOriginalSound'
  | 'offPeak'
  | 'maxJobs'
  | 'callbackUrl'
  | 'callbackEvents'
  | 'idempotencyKey'
  | 'fingerprint'
  | 'expiresAt'
  | 'accountId'
  | 'isAccountFixed'
>;

/** The upstream takes audio of at most 60 seconds. */
const maxAudioSeconds = 60;

/** Looks up everything the request refers to, concurrently. Throws failures. */
export async function resolveRequest(
  deps: LipsyncDependencies,
  request: { owner: string; canSeeAll: boolean; input: CreateInput; fingerprint: string },
): Promise<ResolvedRequest> {
  const { owner, input, fingerprint } = request;
  const reads = Promise.all([resolveVideo(deps, request), resolveSpeech(deps, request)]);
  reads.catch(() => undefined);
  // Before anything is sent, the limits and the credits of the accounts must be known.
  await deps.accounts.guardCredits(await deps.accounts.listPresent());
  const [source, speech] = await reads;
  return {
    owner,
    reference: input.reference,
    keepOriginalSound: input.keepOriginalSound,
    offPeak: input.offPeak,
    maxJobs: input.maxJobs,
    callbackUrl: input.callbackUrl,
    callbackEvents: input.callbackEvents ?? [...defaultEvents],
    idempotencyKey: input.idempotencyKey,
    expiresAt: input.expiresAt,
    fingerprint,
    ...source,
    ...speech,
  };
}

async function resolveVideo(
  deps: LipsyncDependencies,
  request: { owner: string; canSeeAll: boolean; input: CreateInput },
): Promise<
  Pick<
    ResolvedRequest,
    | 'sourceVideoId'
    | 'sourceVideo'
    | 'sourceUploadId'
    | 'sourcePath'
    | 'accountId'
    | 'isAccountFixed'
  >
> {
  const { video } = request.input;
  if ('url' in video) throw new InvalidInputError(listUnsupportedUrls(request.input));
  if ('uploadKey' in video) {
    const upload = await findUpload(deps, request.owner, video.uploadKey);
    if (upload.kind !== 'VIDEO') {
      throw invalid(['video', 'uploadId'], 'WRONG_KIND', 'This upload is not of kind VIDEO.');
    }
    return {
      sourceVideoId: null,
      sourceVideo: null,
      sourceUploadId: upload.id,
      sourcePath: upload.path,
      accountId: null,
      isAccountFixed: false,
    };
  }
  const source = video.key === null ? null : await deps.videos.resolveSource(request, video.key);
  if (source === null || video.key === null) throw new NotFoundError('The video');
  return {
    sourceVideoId: video.key,
    sourceVideo: source.video,
    sourceUploadId: null,
    sourcePath: null,
    accountId: source.accountId,
    isAccountFixed: source.accountId !== null,
  };
}

async function resolveSpeech(
  deps: LipsyncDependencies,
  { owner, input }: { owner: string; input: CreateInput },
): Promise<
  Pick<ResolvedRequest, 'text' | 'voice' | 'speechUploadId' | 'audioPath' | 'mediaSeconds'>
> {
  const { speech } = input;
  if ('url' in speech) throw new InvalidInputError(listUnsupportedUrls(input));
  if ('text' in speech) {
    return {
      text: speech.text,
      voice: await findVoice(deps, speech.voiceKey),
      speechUploadId: null,
      audioPath: null,
      mediaSeconds: null,
    };
  }
  const upload = await findUpload(deps, owner, speech.audioUploadKey);
  const path = ['speech', 'uploadId'];
  if (upload.kind !== 'AUDIO')
    throw invalid(path, 'WRONG_KIND', 'This upload is not of kind AUDIO.');
  if (upload.durationSeconds !== null && upload.durationSeconds > maxAudioSeconds) {
    throw invalid(path, 'TOO_LONG', `The audio is longer than ${maxAudioSeconds} seconds.`);
  }
  return {
    text: null,
    voice: null,
    speechUploadId: upload.id,
    audioPath: upload.path,
    mediaSeconds: upload.durationSeconds,
  };
}

async function findVoice(deps: LipsyncDependencies, key: string | null | undefined) {
  if (key === undefined) return null;
  const voice = key === null ? null : await deps.voices.find(key);
  if (voice === null)
    throw invalid(['speech', 'script', 'voiceId'], 'UNKNOWN_ID', 'There is no such voice.');
  return voice;
}

async function findUpload(deps: LipsyncDependencies, owner: string, key: string | null) {
  const upload = key === null ? null : await deps.uploads.findReady(owner, key);
  if (upload === null) throw new NotFoundError('A finished upload with this id');
  return upload;
}

function invalid(path: string[], code: InputIssueCode, message: string): InvalidInputError {
  return new InvalidInputError([{ path: ['input', ...path], message, code }]);
}
