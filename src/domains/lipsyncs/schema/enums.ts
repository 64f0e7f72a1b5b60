import { builder } from '../../../graphql/builder.ts';

export const LipsyncStatusRef = builder.enumType('LipsyncStatus', {
  description:
    'The status of a lip-sync. COMPLETED, FAILED, MODERATED, CANCELLED and EXPIRED are terminal: no status follows them.',
  values: {
    QUEUED: {
      description: 'Waiting in the queue of this server. Nothing has been sent or charged.',
    },
    SUBMITTING: { description: 'Being sent to the video service.' },
    SUBMITTED: { description: 'Accepted by the video service, which may charge for it.' },
    GENERATING: { description: 'The video service is generating the video.' },
    COMPLETED: { description: 'The video is ready: see `result`.' },
    FAILED: { description: 'The video could not be generated: see `failure`.' },
    MODERATED: { description: "Rejected by the video service's moderation: see `failure`." },
    CANCELLED: {
      description:
        'Cancelled. If the job was already running, the video service still charges for it.',
    },
    EXPIRED: { description: 'Not submitted by its `expiresAt`. Nothing was charged.' },
  },
});

export const EventSourceRef = builder.enumType('LipsyncEventSource', {
  description: 'What led this server to notice a change.',
  values: {
    CALLBACK: { description: 'A callback of the video service.' },
    POLL: { description: 'Regular polling of the video service.' },
    GATEWAY: { description: 'An action of this server, such as sending or cancelling.' },
  },
});
