import type { LipsyncStatus } from '../../../src/domains/lipsyncs/lifecycle.ts';

/** The allowed transitions, written a second time by hand. */
export const nextStatuses: Record<LipsyncStatus, string> = {
  QUEUED: 'SUBMITTING FAILED MODERATED CANCELLED EXPIRED',
  SUBMITTING: 'QUEUED SUBMITTED FAILED MODERATED CANCELLED',
  SUBMITTED: 'GENERATING COMPLETED FAILED MODERATED CANCELLED',
  GENERATING: 'COMPLETED FAILED MODERATED CANCELLED',
  COMPLETED: '',
  FAILED: '',
  MODERATED: '',
  CANCELLED: '',
  EXPIRED: '',
};
