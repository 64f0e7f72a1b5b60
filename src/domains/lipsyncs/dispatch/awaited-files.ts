import type { Sql } from '../../../database/connect.ts';
import {
  InsufficientCreditsError,
  InvalidInputError,
  NotFoundError,
  type StoredFailure,
  storeFailure,
} from '../../../errors.ts';
import { notifyQueue } from '../../accounts/service.ts';
import { checkSpeechFile } from '../create/speech-file.ts';
import { createCreditEstimates, isTooExpensive } from '../credits/estimate.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import { appendChangeEvent, changeContext, failLipsync } from '../progress/transition.ts';
import { enterQueue, findEndedWaits, readFiles, type UploadFile } from '../store/awaited-files.ts';
import { findLipsync, type Lipsync, lockLipsync } from '../store/lipsyncs.ts';
import { lockQueue } from '../store/queue.ts';
import { eachInTurn } from './each-in-turn.ts';

/**
 * Ends the waits whose files have arrived or failed: the lip-sync gets a place in the queue, or becomes FAILED and nothing is
 * sent.
 */
export async function endWaits(deps: LipsyncDependencies): Promise<void> {
  await eachInTurn(await findEndedWaits(deps.db), (id) =>
    deps.db.transaction(async (tx) => {
      await lockQueue(tx);
      await endWait(deps, tx, id);
    }),
  );
}

async function endWait(deps: LipsyncDependencies, tx: Sql, id: string): Promise<void> {
  const lipsync = await lockLipsync(tx, id);
  if (lipsync === null || lipsync.status !== 'QUEUED' || !lipsync.isAwaitingFile) return;
  const files = await readFiles(tx, lipsync);
  // Another search was faster, and the lip-sync awaits its other file.
  if (files.some(({ state }) => state === 'RECEIVING') && !files.some(hasFailed)) return;
  const context = changeContext(deps, 'GATEWAY');
  const failure = findFailure(lipsync, files);
  if (failure !== null) {
    await failLipsync(tx, lipsync, { failure, context });
    return;
  }
  const source = files.find((file) => file.id === lipsync.sourceUploadId);
  const speech = files.find((file) => file.id === lipsync.speechUploadId);
  const mediaSeconds = speech?.durationSeconds ?? lipsync.mediaSeconds;
  // Only now is the length known, on which the cost depends.
  const estimate = createCreditEstimates({ ...deps, db: tx });
  const { credits } = await estimate({ ...lipsync, mediaSeconds });
  if (isTooExpensive(credits, lipsync.maxCredits)) {
    const tooExpensive = storeFailure(new InsufficientCreditsError('MAX_CREDITS'));
    await failLipsync(tx, lipsync, { failure: tooExpensive, context });
    return;
  }
  await enterQueue(tx, id, {
    sourcePath: source?.path ?? lipsync.sourcePath,
    audioPath: speech?.path ?? lipsync.audioPath,
    mediaSeconds,
    estimatedCredits: credits,
  });
  const waiting = await findLipsync(tx, id);
  if (waiting !== null) await appendChangeEvent(tx, waiting, context);
  await notifyQueue(tx);
}

function hasFailed({ state }: UploadFile): boolean {
  return state !== 'READY' && state !== 'RECEIVING';
}

/** Why the lip-sync can't be sent, with the path of its input; null if it can. */
function findFailure(lipsync: Lipsync, files: readonly UploadFile[]): StoredFailure | null {
  for (const [name, id] of [
    ['video', lipsync.sourceUploadId],
    ['speech', lipsync.speechUploadId],
  ] as const) {
    if (id === null) continue;
    const file = files.find((each) => each.id === id);
    if (file === undefined) return storeFailure(new NotFoundError('The uploaded file'));
    if (hasFailed(file)) return atInput(file.failure, name);
    const problem = name === 'speech' ? checkSpeechFile(file, ['input', name]) : null;
    if (problem !== null) return storeFailure(new InvalidInputError([problem]));
  }
  return null;
}

function atInput(failure: StoredFailure | null, name: 'video' | 'speech'): StoredFailure {
  if (failure === null) return storeFailure(new NotFoundError('The uploaded file'));
  const { issues, ...rest } = failure;
  if (issues === undefined) return rest;
  return { ...rest, issues: issues.map((issue) => ({ ...issue, path: ['input', name] })) };
}
