import type { LipsyncCharge, LipsyncEvent } from 'lipsync-graphql-client';

/** The status for a screen reader. It reads each change aloud, so percentages change in steps of 25. */
export function announceStatus({ status, queuePosition, percent }: LipsyncEvent): string {
  switch (status) {
    case 'QUEUED':
      return queuePosition === null
        ? 'Waiting for your file.'
        : `Queued at position ${queuePosition}.`;
    case 'SUBMITTING':
      return 'Sending to the video service.';
    case 'SUBMITTED':
      return 'Accepted by the video service.';
    case 'GENERATING':
      return announcePercent(percent);
    case 'COMPLETED':
      return 'Your video is ready.';
    case 'FAILED':
    case 'MODERATED':
      return 'No video was made.';
    case 'CANCELLED':
      return 'Cancelled.';
    case 'EXPIRED':
      return 'Expired before it was sent.';
  }
}

function announcePercent(percent: number): string {
  const step = Math.floor(percent / 25) * 25;
  return step === 0 ? 'Generating.' : `Generating, ${step} percent.`;
}

/** A headline, and a line of text below it. */
export function describeRunning({ status, queuePosition }: LipsyncEvent): [string, string] {
  switch (status) {
    case 'QUEUED':
      if (queuePosition === null) {
        return [
          'Waiting for your file',
          'It is queued when its file has arrived. Nothing has been charged yet.',
        ];
      }
      return [
        queuePosition === 1 ? 'Next in the queue' : `Number ${queuePosition} in the queue`,
        'It is sent when a slot is free. Nothing has been charged yet.',
      ];
    case 'SUBMITTING':
      return [
        'Sending to the video service',
        'If no clear answer comes back, it is not sent again: you never pay twice.',
      ];
    case 'SUBMITTED':
      return ['Accepted by the video service', 'You can close this page. The video continues.'];
    default:
      return ['Generating your video', 'You can close this page. The video continues.'];
  }
}

export function describeEndWithoutVideo({ status, lipsync }: LipsyncEvent): string {
  switch (status) {
    case 'EXPIRED':
      return `It expired before it was sent. ${describeCharge(lipsync.charge)}`;
    case 'CANCELLED':
      return lipsync.charge === 'NONE'
        ? `It was cancelled before it was sent. ${describeCharge(lipsync.charge)}`
        : `The video service cannot stop a running job. ${describeCharge(lipsync.charge)}`;
    default:
      return 'This page does not know this status. Reload it.';
  }
}

/** Of a lip-sync that has ended without a video. */
export function describeCharge(charge: LipsyncCharge): string {
  switch (charge) {
    case 'NONE':
      return 'Nothing was charged.';
    case 'CHARGED':
      return 'It continued and is charged.';
    case 'POSSIBLE':
      return 'It may have been charged.';
  }
}

export function describeCancellation(status: string): string {
  switch (status) {
    case 'QUEUED':
      return 'It has not been sent yet. Cancelling is free of charge.';
    case 'SUBMITTING':
      return 'It is being sent now. If the video service accepts it, it is charged.';
    default:
      return 'The video service cannot stop a running job: it continues and is charged, but you will not get the video.';
  }
}
