// The client kit in a web page without a framework: upload, create, and continue after a reload. Import it from a page;
// examples/test/examples.test.ts runs it.

import {
  type CreateLipsyncInput,
  createLipsync,
  LipsyncConnectionError,
  LipsyncServerError,
  uploadFile,
  type WatchableServer,
  watchLipsync,
  webSocket,
} from 'lipsync-graphql-client';

/** Updates the page: `percent` for the progress bar, the text below it, and the URL of the finished video. */
export type Show = (state: { percent?: number; text?: string; url?: string | null }) => void;

/** `sessionStorage` in a browser: it survives a reload, and each tab has its own. */
export type TabStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

export function connect(url: string, token: () => Promise<string | null>): WatchableServer {
  return { url, token, transport: webSocket() };
}

export async function upload(server: WatchableServer, file: File, show: Show) {
  const answer = await uploadFile(server, file, {
    kind: 'AUDIO',
    onProgress: ({ sentBytes }) => show({ percent: (100 * sentBytes) / file.size }),
  });
  if (answer.__typename === 'UploadReady') return answer.id;
  show({ text: answer.message });
  return null;
}

export async function create(
  server: WatchableServer,
  storage: TabStorage,
  { input, show }: { input: CreateLipsyncInput; show: Show },
): Promise<void> {
  // Stored before the request: a reload before the answer must not pay twice.
  const idempotencyKey = storage.getItem('key') ?? crypto.randomUUID();
  storage.setItem('key', idempotencyKey);
  const answer = await createLipsync(server, { ...input, idempotencyKey });
  storage.removeItem('key');
  switch (answer.__typename) {
    case 'CreateLipsyncSuccess':
    case 'OutcomeUnknownError':
      storage.setItem('lipsync', answer.lipsync.id);
      storage.removeItem('cursor');
      return;
    case 'InvalidInputError':
      show({ text: answer.issues.map(({ message }) => message).join(' ') });
      return;
    case 'RateLimitedError':
    case 'QueueFullError':
    case 'QuotaExceededError':
      show({ text: `Try again in ${answer.retryAfterSeconds ?? 60} seconds.` });
      return;
    default:
      show({ text: answer.message });
  }
}

/** Call it when the page loads and after `create`: it watches the stored lip-sync, if there is one. */
export async function watch(
  server: WatchableServer,
  storage: TabStorage,
  { show, signal }: { show: Show; signal: AbortSignal },
): Promise<void> {
  const id = storage.getItem('lipsync');
  if (id === null) return;
  const after = storage.getItem('cursor');
  try {
    for await (const update of watchLipsync(server, id, { after, signal })) {
      if (update.__typename !== 'LipsyncProgress') return show({ text: update.message });
      storage.setItem('cursor', update.cursor);
      const { percent, status, failure, lipsync } = update;
      show({ percent, text: failure?.message ?? status, url: lipsync.result?.url ?? null });
    }
  } catch (error) {
    if (error instanceof LipsyncServerError) {
      return show({
        text: `The server has a fault. Try again later, or report ${error.requestId}.`,
      });
    }
    if (!(error instanceof LipsyncConnectionError)) throw error;
    show({ text: 'You seem to be offline. The lip-sync continues: come back later.' });
  }
}
