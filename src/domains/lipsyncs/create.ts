import { createHash } from 'node:crypto';
import {
  type Failure,
  IdempotencyConflictError,
  type InputIssue,
  InvalidInputError,
  NotFoundError,
  OutcomeUnknownError,
  restoreFailure,
} from '../../errors.ts';
import { admit, type Draft } from './admit.ts';
import type { Engine } from './engine.ts';
import { isBeingAnswered, type Settlement } from './settle.ts';
import { findLipsync, findRefusal, type Lipsync, selectLipsyncs } from './store.ts';
import { startSubmission } from './submit.ts';
import type { Watch } from './watch.ts';

/** A request with its ids decoded to keys; a key is null where the id was rubbish. */
export type CreateInput = {
  video: { key: string | null } | { uploadKey: string | null };
  speech: { audioUploadKey: string | null } | { text: string; voiceKey: string | null | undefined };
  keepOriginalSound: boolean | null;
  offPeak: boolean;
  reference: string | null;
  callbackUrl: string | null;
  maxJobs: number | null;
  idempotencyKey: string | null;
  mayWait: boolean;
  expiresAt: Date | null;
};

export type Creation = { lipsync: Lipsync; replayed: boolean };

/** The upstream takes 200 characters of text and audio of at most 60 seconds. */
const maxText = 200;
const maxAudioSeconds = 60;

export async function createLipsync(
  engine: Engine,
  watch: Watch,
  request: { owner: string; canSeeAll: boolean; input: CreateInput },
): Promise<Creation> {
  const { owner, input } = request;
  const askedAt = engine.now();
  checkShape(input, askedAt);
  const fingerprint = fingerprintOf(input);
  const earlier = await findByKey(engine, owner, input.idempotencyKey);
  if (earlier !== null) return replay(engine, watch, { lipsync: earlier, fingerprint });

  const draft = await resolve(engine, { ...request, fingerprint });
  const admission = await admit(engine, draft, { at: askedAt, mayWait: input.mayWait });
  if (admission.kind === 'waiting') return { lipsync: admission.lipsync, replayed: false };
  if (admission.kind === 'taken') {
    const taken = await findByKey(engine, owner, input.idempotencyKey);
    // Refused between the two looks: asking again finds its refusal.
    if (taken === null) return createLipsync(engine, watch, request);
    return replay(engine, watch, { lipsync: taken, fingerprint });
  }
  const { lipsync, email } = admission;
  const settlement = await startSubmission(engine, lipsync, { email, mayWait: input.mayWait });
  return answer(engine, { lipsync, settlement });
}

async function answer(
  engine: Engine,
  { lipsync, settlement }: { lipsync: Lipsync; settlement: Settlement },
): Promise<Creation> {
  if (settlement.kind === 'refused') throw settlement.failure;
  if (settlement.kind === 'unknown') throw new OutcomeUnknownError(lipsync.id);
  return { lipsync: (await findLipsync(engine.db, lipsync.id)) ?? lipsync, replayed: false };
}

async function findByKey(
  engine: Engine,
  owner: string,
  idempotencyKey: string | null,
): Promise<Lipsync | null> {
  if (idempotencyKey === null) return null;
  const [found] = await selectLipsyncs(engine.db, 'where owner = $1 and idempotency_key = $2', [
    owner,
    idempotencyKey,
  ]);
  return found ?? null;
}

/** The answer that the first request with this key got, or gets: it is waited for. */
async function replay(
  engine: Engine,
  watch: Watch,
  { lipsync, fingerprint }: { lipsync: Lipsync; fingerprint: string },
): Promise<Creation> {
  if (lipsync.fingerprint !== fingerprint) throw new IdempotencyConflictError();
  let current: Lipsync | null = lipsync;
  while (current !== null && isBeingAnswered(current) && current.outcomeUnknownAt === null) {
    await watch.nextChange(lipsync.id);
    current = await findLipsync(engine.db, lipsync.id);
  }
  if (current === null) throw await refusalOf(engine, lipsync.id);
  if (isBeingAnswered(current)) throw new OutcomeUnknownError(current.id);
  return { lipsync: current, replayed: true };
}

async function refusalOf(engine: Engine, id: string): Promise<Failure> {
  const refusal = await findRefusal(engine.db, id);
  return refusal === null ? new NotFoundError('The lip-sync') : restoreFailure(refusal);
}

function fingerprintOf({ idempotencyKey: _, ...input }: CreateInput): string {
  return createHash('sha256').update(JSON.stringify(input)).digest('base64url');
}

function checkShape(input: CreateInput, now: Date): void {
  const issues: InputIssue[] = [];
  const check = (isFine: boolean, path: string[], message: string) => {
    if (!isFine) issues.push({ path: ['input', ...path], message });
  };
  if ('text' in input.speech) {
    const { text } = input.speech;
    const length = [...text].length;
    check(text.trim() !== '', ['speech', 'text', 'text'], 'The text is empty.');
    check(
      length <= maxText,
      ['speech', 'text', 'text'],
      `The text has ${length} characters; at most ${maxText} are spoken.`,
    );
  }
  const { maxJobs, idempotencyKey, reference, expiresAt, callbackUrl } = input;
  check(
    maxJobs === null || (maxJobs >= 1 && maxJobs <= 8),
    ['maxJobs'],
    'maxJobs is a number from 1 to 8.',
  );
  check(
    idempotencyKey === null || isLength(idempotencyKey, 1, 255),
    ['idempotencyKey'],
    'An idempotencyKey has 1 to 255 characters.',
  );
  check(
    reference === null || isLength(reference, 0, 1024),
    ['reference'],
    'A reference has at most 1024 characters.',
  );
  check(expiresAt === null || expiresAt > now, ['expiresAt'], 'expiresAt has passed already.');
  check(
    callbackUrl === null || isWebAddress(callbackUrl),
    ['callbackUrl'],
    'callbackUrl is an http or https address of at most 2048 characters, without credentials.',
  );
  check(
    [idempotencyKey, reference, 'text' in input.speech ? input.speech.text : null].every(
      (text) => text === null || !text.includes('\0'),
    ),
    [],
    'Text must not hold the character U+0000.',
  );
  if (issues.length > 0) throw new InvalidInputError(issues);
}

/** In code points, as people count characters; the upstream does not say what it counts. */
function isLength(text: string, min: number, max: number): boolean {
  const { length } = [...text];
  return length >= min && length <= max;
}

function isWebAddress(text: string): boolean {
  if (text.length > 2048 || !URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && username === '' && password === '';
}

/** Looks up everything the request refers to, all at the same time. */
async function resolve(
  engine: Engine,
  request: { owner: string; canSeeAll: boolean; input: CreateInput; fingerprint: string },
): Promise<Draft> {
  const { owner, input, fingerprint } = request;
  const [source, speech] = await Promise.all([
    resolveVideo(engine, request),
    resolveSpeech(engine, request),
  ]);
  return {
    owner,
    reference: input.reference,
    keepOriginalSound: input.keepOriginalSound,
    offPeak: input.offPeak,
    maxJobs: await lowerMaxJobs(engine, input.maxJobs, source.accountId),
    callbackUrl: input.callbackUrl,
    idempotencyKey: input.idempotencyKey,
    expiresAt: input.expiresAt,
    fingerprint,
    ...source,
    ...speech,
  };
}

/** A caller's maxJobs lowers the account's own and never raises it. */
async function lowerMaxJobs(
  engine: Engine,
  wanted: number | null,
  accountId: string | null,
): Promise<number | null> {
  if (wanted === null) return null;
  const accounts = await engine.accounts.known();
  const own = accounts.filter(({ id }) => accountId === null || id === accountId);
  const most = Math.max(0, ...own.map(({ maxJobs }) => maxJobs ?? 8));
  return most === 0 ? wanted : Math.min(wanted, most);
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
    await engine.accounts.known();
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
