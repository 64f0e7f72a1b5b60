/** The fields of an event that a progress bar needs. */
export type Progress = { sequence: number; status: string; percent: number };

/** The fields of every failure type. Each example selects them with `... on LipsyncError`. */
export type Failure = { code: string; message: string };

type ProgressUpdate = Progress & {
  __typename: 'LipsyncProgress';
  failure: Failure | null;
  lipsync: { result: { url: string | null } | null };
};

/** One result of the subscription `lipsyncProgress`, as each example selects it. */
export type Update = ProgressUpdate | (Failure & { __typename: string });

export type Outcome = Failure | { url: string };

/** What each example does with its library: it creates a lip-sync and watches it to its end. */
export type Example = (
  /** The GraphQL endpoint. */
  url: string,
  /** The source video, and the text that is spoken. */
  job: { videoId: string; text: string },
  onProgress: (progress: Progress) => void,
) => Promise<Outcome>;

const endStatuses = ['COMPLETED', 'FAILED', 'MODERATED', 'CANCELLED', 'EXPIRED'];

export function isProgress(update: Update): update is ProgressUpdate {
  return update.__typename === 'LipsyncProgress';
}

/** The outcome of the last update; null if more updates follow. */
export function outcomeOf(update: Update): Outcome | null {
  if (!isProgress(update)) return update;
  const { status, failure, lipsync } = update;
  if (failure !== null) return failure;
  if (!endStatuses.includes(status)) return null;
  // `lipsync` is its present state: after a cut, an earlier event has the result too.
  const url = lipsync.result?.url;
  return url ? { url } : { code: status, message: 'No video was made.' };
}
