import {
  type CreateLipsyncAnswer,
  type CreateLipsyncInput,
  cancelLipsync,
  documents,
  type FutureError,
  type LipsyncEnd,
  type LipsyncUpdate,
  makeLipsync,
  type ResultOf,
  serverSentEvents,
  type UploadAnswer,
  uploadFile,
  type VariablesOf,
  type WatchableServer,
  watchLipsync,
} from 'lipsync-graphql-client';

/*
 * A frontend that uses the kit. A test compiles it with the DOM and without Node types; it is never run.
 */

function unhandled(answer: never): never {
  throw new Error(`Unhandled: ${JSON.stringify(answer)}`);
}

export function describeCreation(answer: CreateLipsyncAnswer): string {
  switch (answer.__typename) {
    case 'CreateLipsyncSuccess':
      return answer.lipsync.id;
    case 'OutcomeUnknownError':
      return `${answer.message} Watch ${answer.lipsync.id}.`;
    case 'InvalidInputError':
      return answer.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join();
    case 'RateLimitedError':
      return `${answer.limit}, ${answer.retryAfterSeconds} s`;
    case 'QueueFullError':
    case 'QuotaExceededError':
      return `Try again in ${answer.retryAfterSeconds} s.`;
    case 'AccountPendingError':
    case 'ContentModeratedError':
    case 'IdempotencyConflictError':
    case 'InsufficientCreditsError':
    case 'NotAuthenticatedError':
    case 'NotAuthorizedError':
    case 'NotFoundError':
    case 'SubscriptionExpiredError':
    case 'UpstreamUnauthorizedError':
    case 'UpstreamUnavailableError':
      return answer.message;
    case 'FutureError':
      return `${answer.code satisfies string}: ${answer.message}`;
    default:
      return unhandled(answer);
  }
}

export function describeUpdate(update: LipsyncUpdate): string {
  switch (update.__typename) {
    case 'LipsyncProgress':
      return `${update.status} ${update.percent} % ${update.lipsync.result?.url ?? ''}`;
    case 'InvalidInputError':
    case 'NotAuthenticatedError':
    case 'NotAuthorizedError':
    case 'NotFoundError':
    case 'QuotaExceededError':
      return update.message;
    default:
      // @ts-expect-error FutureError is not handled.
      return unhandled(update);
  }
}

export function describeEnd(end: LipsyncEnd): string {
  switch (end.outcome) {
    case 'COMPLETED':
      return end.video.url ?? 'deleted';
    case 'FAILED':
    case 'MODERATED':
      return end.failure.message;
    case 'CANCELLED':
      return end.lipsync.id;
    case 'REFUSED':
      return end.failure.message;
    case 'STILL_RUNNING':
      return end.cursor ?? 'from the beginning';
    case 'FUTURE':
      return end.status;
    default:
      // @ts-expect-error EXPIRED is not handled.
      return unhandled(end);
  }
}

export function describeUpload(answer: UploadAnswer): string {
  // @ts-expect-error Only UploadReady has an id.
  const { id } = answer;
  if (answer.__typename === 'UploadReady') return answer.id satisfies string;
  return `${id}: ${answer.message}`;
}

export const inputs: CreateLipsyncInput[] = [
  { video: { videoId: 'a' }, speech: { uploadId: 'b' } },
  { video: { uploadId: 'a' }, speech: { script: { text: 'Hello.' } }, whenBusy: 'FAIL' },
  // @ts-expect-error Only one of the two is allowed.
  { video: { videoId: 'a', uploadId: 'b' }, speech: { uploadId: 'b' } },
  // @ts-expect-error No such policy.
  { video: { videoId: 'a' }, speech: { uploadId: 'b' }, whenBusy: 'RETRY' },
];

const server: WatchableServer = { url: '/graphql', transport: serverSentEvents() };

export async function uploadAndMake(file: File, bar: HTMLProgressElement, signal: AbortSignal) {
  const sound = await uploadFile(server, file, {
    kind: 'AUDIO',
    signal,
    onProgress: ({ sentBytes, totalBytes }) => {
      bar.value = sentBytes / (totalBytes ?? sentBytes);
    },
  });
  if (sound.__typename !== 'UploadReady') return describeUpload(sound);
  const input: CreateLipsyncInput = { video: { videoId: 'a' }, speech: { uploadId: sound.id } };
  const end = await makeLipsync(server, input, { signal, deadlineMs: 60_000 });
  return end.outcome === 'COMPLETED' ? end.video.url : null;
}

export async function watchAndCancel(id: string) {
  for await (const update of watchLipsync(server, id)) {
    if (update.__typename !== 'LipsyncProgress') return describeUpdate(update);
  }
  // @ts-expect-error Watching needs a transport.
  watchLipsync({ url: '/graphql' }, id);
  return (await cancelLipsync({ url: '/graphql' }, id)).__typename;
}

/** The kit's documents carry their types, for use with another client. */
export async function send<Document extends string>(
  document: Document,
  variables: VariablesOf<Document>,
): Promise<ResultOf<Document>> {
  const body = JSON.stringify({ query: document, variables });
  const response = await fetch('/graphql', { method: 'POST', body });
  return ((await response.json()) as { data: ResultOf<Document> }).data;
}

export async function sendOne() {
  const { createLipsyncDocument, watchLipsyncDocument } = documents;
  const { answer } = await send(createLipsyncDocument, {
    input: { video: { videoId: 'a' }, speech: { script: { text: 'Hello.' } } },
  });
  // @ts-expect-error The id is missing.
  await send(watchLipsyncDocument, { after: null });
  type Answer = ResultOf<typeof watchLipsyncDocument>['answer'];
  const isSame = (answer: Answer): Exclude<LipsyncUpdate, FutureError> => answer;
  return [describeCreation(answer), isSame];
}
