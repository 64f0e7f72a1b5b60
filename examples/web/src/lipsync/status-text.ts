import type { LipsyncEvent } from 'lipsync-graphql-client';

/** What a lip-sync is at, for a screen reader: said when it changes, and so not too often. */
export function announce({ status, queuePosition, percent }: LipsyncEvent): string {
  switch (status) {
    case 'QUEUED':
      return queuePosition === null ? 'In line.' : `In line, at place ${queuePosition}.`;
    case 'SUBMITTING':
      return 'It is being sent to the video service.';
    case 'SUBMITTED':
      return 'The video service has accepted it.';
    case 'GENERATING':
      return announcePercent(percent);
    case 'COMPLETED':
      return 'Your video is ready.';
    case 'FAILED':
    case 'MODERATED':
      return 'There will be no video.';
    case 'CANCELLED':
      return 'Cancelled.';
    case 'EXPIRED':
      return 'It was not sent in time.';
  }
}

function announcePercent(percent: number): string {
  const quarter = Math.floor(percent / 25) * 25;
  return quarter === 0 ? 'It is being made.' : `It is being made, ${quarter} percent.`;
}

/** What is going on, as a headline and a line of text. */
export function describeRunning({ status, queuePosition }: LipsyncEvent): [string, string] {
  switch (status) {
    case 'QUEUED':
      return [
        queuePosition === null || queuePosition === 1
          ? 'Next in line'
          : `Number ${queuePosition} in line`,
        'It goes out as soon as there is a place free. Nothing has been charged so far.',
      ];
    case 'SUBMITTING':
      return [
        'Being sent to the video service',
        'Should no clear answer come, it is looked for, and not asked and paid for twice.',
      ];
    case 'SUBMITTED':
      return ['Accepted by the video service', 'You can leave this page: it goes on by itself.'];
    default:
      return ['Your video is being made', 'You can leave this page: it goes on by itself.'];
  }
}

/** `submittedAt` tells whether it had gone out by then. */
export function describeEndWithoutVideo(status: string, submittedAt: string | null): string {
  if (status === 'EXPIRED') return 'It was not sent in time. Nothing was charged.';
  if (status !== 'CANCELLED') return 'This page does not know this end. Load it again.';
  return submittedAt === null
    ? 'It had not been sent yet. Nothing was charged.'
    : 'The video service can not be stopped: it went on, and charges for it.';
}

export function warnOfCancelling(status: string): string {
  switch (status) {
    case 'QUEUED':
      return 'It waits in line and has not been sent yet. Cancelling is free of charge.';
    case 'SUBMITTING':
      return 'It is being sent right now. If the video service takes it, it is charged all the same.';
    default:
      return 'The video service can not be stopped: it goes on, and charges for the video all the same. You only would not get it.';
  }
}
