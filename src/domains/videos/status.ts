export const videoStatuses = [
  'QUEUED',
  'GENERATING',
  'COMPLETED',
  'FAILED',
  'MODERATED',
  'UNKNOWN',
] as const;

export type VideoStatus = (typeof videoStatuses)[number];

/** The fields of an upstream item that concern its status. Each may be missing. */
export type ReportedStatus = {
  name: string | null;
  code: number | null;
  isFinal: boolean | null;
  url: string | null;
};

const statusNames: ReadonlySet<string> = new Set(
  videoStatuses.filter((status) => status !== 'UNKNOWN'),
);

const statusCodes: Record<number, VideoStatus> = {
  1: 'COMPLETED',
  5: 'QUEUED',
  7: 'MODERATED',
  8: 'FAILED',
  9: 'GENERATING',
  10: 'GENERATING',
};

const finalStatuses: ReadonlySet<VideoStatus> = new Set(['COMPLETED', 'FAILED', 'MODERATED']);

/**
 * The name decides, otherwise the code. COMPLETED without a URL counts as GENERATING. An unknown name or code is UNKNOWN,
 * since the video may still reach any status. The upstream's own `video_status_final` is used only without name and
 * code, because it has been true for QUEUED; a final item with a URL can only be COMPLETED.
 */
export function statusOf(reported: ReportedStatus): VideoStatus {
  const status = readStatus(reported);
  return status === 'COMPLETED' && !reported.url ? 'GENERATING' : (status ?? 'UNKNOWN');
}

/** Whether this item is not enough to know the status; GET of the single video may say more. */
export function isUnclear(reported: ReportedStatus): boolean {
  const status = readStatus(reported);
  return status === undefined || (status === 'COMPLETED' && !reported.url);
}

export function isFinalStatus(status: VideoStatus): boolean {
  return finalStatuses.has(status);
}

function readStatus({ name, code, isFinal, url }: ReportedStatus): VideoStatus | undefined {
  const known = name?.trim().toUpperCase() ?? '';
  if (statusNames.has(known)) return known as VideoStatus;
  if (name !== null || code !== null) return statusCodes[code ?? -1];
  return isFinal === true && url ? 'COMPLETED' : undefined;
}
