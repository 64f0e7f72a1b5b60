import type { LipsyncStatus } from 'lipsync-graphql-client';

type StatusBadge = { label: string; color: string };

const badges: Record<LipsyncStatus, StatusBadge> = {
  QUEUED: { label: 'Queued', color: 'gray' },
  SUBMITTING: { label: 'Sending', color: 'blue' },
  SUBMITTED: { label: 'Accepted', color: 'blue' },
  GENERATING: { label: 'Generating', color: 'blue' },
  COMPLETED: { label: 'Ready', color: 'lagoon' },
  FAILED: { label: 'Failed', color: 'red' },
  MODERATED: { label: 'Rejected', color: 'red' },
  CANCELLED: { label: 'Cancelled', color: 'gray' },
  EXPIRED: { label: 'Expired', color: 'gray' },
};

/** An unknown status of a newer server is shown as it is. */
export function badgeOf(status: string): StatusBadge {
  return status in badges ? badges[status as LipsyncStatus] : { label: status, color: 'gray' };
}

/** Whether the progress bar moves: the video service has the job. */
export function isAtVideoService(status: string): boolean {
  return status === 'SUBMITTED' || status === 'GENERATING';
}
