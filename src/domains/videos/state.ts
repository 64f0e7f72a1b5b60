export type VideoState = 'QUEUED' | 'GENERATING' | 'COMPLETED' | 'FAILED' | 'MODERATED' | 'UNKNOWN';

/** What an item says of how far its video is. Each part may be missing. */
export type Told = {
  name: string | null;
  code: number | null;
  isFinal: boolean | null;
  url: string | null;
};

const stateNames: ReadonlySet<string> = new Set([
  'QUEUED',
  'GENERATING',
  'COMPLETED',
  'FAILED',
  'MODERATED',
] satisfies VideoState[]);

const stateCodes: Record<number, VideoState> = {
  1: 'COMPLETED',
  5: 'QUEUED',
  7: 'MODERATED',
  8: 'FAILED',
  9: 'GENERATING',
  10: 'GENERATING',
};

const finalStates: ReadonlySet<VideoState> = new Set(['COMPLETED', 'FAILED', 'MODERATED']);

/**
 * The name decides, else the code. COMPLETED without an address is not done yet, and an unknown code may still become
 * anything. The upstream's own `video_status_final` is asked only where there is neither, because it has been true for
 * QUEUED; what is final and has an address can only be COMPLETED.
 */
export function stateOf(told: Told): VideoState {
  const state = toldState(told);
  return state === 'COMPLETED' && !told.url ? 'GENERATING' : (state ?? 'UNKNOWN');
}

/** Whether the item alone can't tell: of the same video, GET one may say more. */
export function isUnclear(told: Told): boolean {
  const state = toldState(told);
  return state === undefined || (state === 'COMPLETED' && !told.url);
}

export function isFinalState(state: VideoState): boolean {
  return finalStates.has(state);
}

function toldState({ name, code, isFinal, url }: Told): VideoState | undefined {
  const known = name?.trim().toUpperCase() ?? '';
  if (stateNames.has(known)) return known as VideoState;
  if (name !== null || code !== null) return stateCodes[code ?? -1];
  return isFinal === true && url ? 'COMPLETED' : undefined;
}
