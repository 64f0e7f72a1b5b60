/** The `type` of a webhook: the status that the lip-sync reached. */
export const webhookEventTypes = [
  'lipsync.submitted',
  'lipsync.generating',
  'lipsync.completed',
  'lipsync.failed',
  'lipsync.moderated',
  'lipsync.cancelled',
  'lipsync.expired',
] as const;

export type WebhookEventType = (typeof webhookEventTypes)[number];
