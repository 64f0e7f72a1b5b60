import {
  type CreateLipsyncInput,
  createLipsync,
  LipsyncConnectionError,
  uploadFile,
  type WatchableServer,
  watchLipsync,
  webSocket,
} from 'lipsync-graphql-client';

/** What a page shows: `percent` for its bar, the words below it, and the video in the end. */
export type Show = (told: { percent?: number; words?: string; url?: string | null }) => void;

/** Of the browser: `sessionStorage` outlives a reload, and two tabs do not share it. */
export type Kept = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

export function connect(url: string, token: () => Promise<string | null>): WatchableServer {
  return { url, token, transport: webSocket() };
}

export async function upload(server: WatchableServer, file: File, show: Show) {
  const answer = await uploadFile(server, file, {
    kind: 'AUDIO',
    onProgress: ({ sentBytes }) => show({ percent: (100 * sentBytes) / file.size }),
  });
  if (answer.__typename === 'UploadReady') return answer.id;
  show({ words: answer.message });
  return null;
}

export async function create(
  server: WatchableServer,
  kept: Kept,
  { input, show }: { input: CreateLipsyncInput; show: Show },
): Promise<void> {
  // Kept before it is sent: a reload meanwhile must not pay twice.
  const idempotencyKey = kept.getItem('key') ?? crypto.randomUUID();
  kept.setItem('key', idempotencyKey);
  const answer = await createLipsync(server, { ...input, idempotencyKey });
  kept.removeItem('key');
  switch (answer.__typename) {
    case 'CreateLipsyncSuccess':
    case 'OutcomeUnknownError':
      kept.setItem('lipsync', answer.lipsync.id);
      return;
    case 'InvalidInputError':
      show({ words: answer.issues.map(({ message }) => message).join(' ') });
      return;
    case 'RateLimitedError':
    case 'QueueFullError':
    case 'QuotaExceededError':
      show({ words: `Try again in ${answer.retryAfterSeconds ?? 60} seconds.` });
      return;
    default:
      show({ words: answer.message });
  }
}

/** When the page is loaded, and after `create`: goes on with what there is. */
export async function follow(
  server: WatchableServer,
  kept: Kept,
  { show, signal }: { show: Show; signal: AbortSignal },
): Promise<void> {
  const id = kept.getItem('lipsync');
  if (id === null) return;
  try {
    for await (const update of watchLipsync(server, id, { after: kept.getItem('at'), signal })) {
      if (update.__typename !== 'LipsyncProgress') return show({ words: update.message });
      kept.setItem('at', update.cursor);
      const { percent, status, failure, lipsync } = update;
      show({ percent, words: failure?.message ?? status, url: lipsync.result?.url ?? null });
    }
  } catch (error) {
    if (!(error instanceof LipsyncConnectionError)) throw error;
    show({ words: 'You seem to be offline. The lip-sync goes on: come back later.' });
  }
}
