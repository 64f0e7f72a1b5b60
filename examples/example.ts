/** Of a lip-sync's log, as far as a progress bar needs it. */
export type Progress = { sequence: number; status: string; percent: number };

/** What every type of failure has, whatever its name: each example asks for it by `... on LipsyncError`. */
export type Failure = { code: string; message: string };

type Told = Progress & {
  __typename: 'LipsyncProgress';
  failure: Failure | null;
  lipsync: { result: { url: string | null } | null };
};

/** What a subscription to `lipsyncProgress` tells, as each example selects it. */
export type Update = Told | (Failure & { __typename: string });

export type Outcome = Failure | { url: string };

/** What each example does with its library: it asks for a lip-sync, and follows it to its end. */
export type Example = (
  /** Of the GraphQL endpoint. */
  url: string,
  /** Whose person shall speak, and what. */
  job: { videoId: string; text: string },
  onProgress: (progress: Progress) => void,
) => Promise<Outcome>;

export function isProgress(update: Update): update is Told {
  return update.__typename === 'LipsyncProgress';
}

/** What an update ends in; null where it goes on. */
export function outcomeOf(update: Update): Outcome | null {
  if (!isProgress(update)) return update;
  const { status, failure, lipsync } = update;
  if (failure !== null) return failure;
  if (lipsync.result?.url) return { url: lipsync.result.url };
  const hasEnded = status === 'CANCELLED' || status === 'EXPIRED';
  return hasEnded ? { code: status, message: 'There will be no video.' } : null;
}
