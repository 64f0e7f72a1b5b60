import { InsufficientCreditsError, InvalidInputError, NotFoundError } from '../../../errors.ts';
import type { Upload } from '../../uploads/service.ts';
import { type EstimateCredits, isTooExpensive } from '../credits/estimate.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import type { Lipsync } from '../store/lipsyncs.ts';
import { type CreateInput, defaultEvents } from './input.ts';
import { resolveFile, type SharedImports } from './resolve-file.ts';
import { checkSpeechFile } from './speech-file.ts';

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
  | 'isAwaitingFile'
  | 'keepOriginalSound'
  | 'offPeak'
  | 'maxJobs'
  | 'maxCredits'
  | 'estimatedCredits'
  | 'callbackUrl'
  | 'callbackEvents'
  | 'idempotencyKey'
  | 'fingerprint'
  | 'expiresAt'
  | 'accountId'
  | 'isAccountFixed'
> & {
  /** Imports that are inserted with the lip-sync. */
  imports: Upload[];
};

type PricingDependencies = LipsyncDependencies & { readonly estimateCredits: EstimateCredits };

type Request = {
  owner: string;
  canSeeAll: boolean;
  input: CreateInput;
  fingerprint: string;
  sharedImports: SharedImports;
};

/** Looks up everything the request refers to, concurrently. Throws failures. */
export async function resolveRequest(
  deps: PricingDependencies,
  request: Request,
): Promise<ResolvedRequest> {
  const { owner, input, fingerprint } = request;
  const reads = Promise.all([resolveVideo(deps, request), resolvePricedSpeech(deps, request)]);
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
    maxCredits: input.maxCredits ?? null,
    callbackUrl: input.callbackUrl,
    callbackEvents: input.callbackEvents ?? [...defaultEvents],
    idempotencyKey: input.idempotencyKey,
    expiresAt: input.expiresAt,
    fingerprint,
    ...source,
    ...speech,
    isAwaitingFile: source.isAwaitingFile || speech.isAwaitingFile,
    imports: [...source.imports, ...speech.imports],
  };
}

type FilePart = Pick<ResolvedRequest, 'isAwaitingFile' | 'imports'>;

const noFile: FilePart = { isAwaitingFile: false, imports: [] };

/** @throws InsufficientCreditsError if the estimate is above `maxCredits` */
async function resolvePricedSpeech(
  deps: PricingDependencies,
  request: Request,
): Promise<ResolvedSpeech & Pick<ResolvedRequest, 'estimatedCredits'>> {
  const { input } = request;
  const speech = await resolveSpeech(deps, request);
  const { credits } = await deps.estimateCredits({ ...speech, offPeak: input.offPeak });
  if (isTooExpensive(credits, input.maxCredits ?? null)) {
    throw new InsufficientCreditsError('MAX_CREDITS');
  }
  return { ...speech, estimatedCredits: credits };
}

async function resolveVideo(
  deps: LipsyncDependencies,
  request: Request,
): Promise<
  FilePart &
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
  if (!('key' in video)) {
    const file = await resolveFile(deps, request, { name: 'video', kind: 'VIDEO', file: video });
    return {
      sourceVideoId: null,
      sourceVideo: null,
      sourceUploadId: file.id,
      sourcePath: file.path,
      accountId: null,
      isAccountFixed: false,
      isAwaitingFile: file.isArriving,
      imports: file.imports,
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
    ...noFile,
  };
}

type ResolvedSpeech = FilePart &
  Pick<ResolvedRequest, 'text' | 'voice' | 'speechUploadId' | 'audioPath' | 'mediaSeconds'>;

/** Writes nothing: an import is only planned. */
export async function resolveSpeech(
  deps: LipsyncDependencies,
  request: Pick<Request, 'owner' | 'sharedImports'> & { input: Pick<CreateInput, 'speech'> },
): Promise<ResolvedSpeech> {
  const { speech } = request.input;
  if ('text' in speech) {
    return {
      text: speech.text,
      voice: await findVoice(deps, speech.voiceKey),
      speechUploadId: null,
      audioPath: null,
      mediaSeconds: null,
      ...noFile,
    };
  }
  const named = 'url' in speech ? speech : { uploadKey: speech.audioUploadKey };
  const file = await resolveFile(deps, request, { name: 'speech', kind: 'AUDIO', file: named });
  const problem = checkSpeechFile(file, ['input', 'speech', 'uploadId']);
  if (problem !== null) throw new InvalidInputError([problem]);
  return {
    text: null,
    voice: null,
    speechUploadId: file.id,
    audioPath: file.path,
    mediaSeconds: file.durationSeconds,
    isAwaitingFile: file.isArriving,
    imports: file.imports,
  };
}

async function findVoice(deps: LipsyncDependencies, key: string | null | undefined) {
  if (key === undefined) return null;
  const voice = key === null ? null : await deps.voices.find(key);
  if (voice !== null) return voice;
  const path = ['input', 'speech', 'script', 'voiceId'];
  throw new InvalidInputError([{ path, message: 'There is no such voice.', code: 'UNKNOWN_ID' }]);
}
