// The client kit: creates a lip-sync and waits for its end in one call. Run: node examples/run.ts kit

import { makeLipsync, webSocket } from 'lipsync-graphql-client';
import type { Example } from './example.ts';

export const makeVideo: Example = async (url, { videoId, text }, onProgress) => {
  const server = { url, transport: webSocket() };
  const input = { video: { videoId }, speech: { script: { text } } };
  const end = await makeLipsync(server, input, { onProgress });
  switch (end.outcome) {
    case 'COMPLETED':
      return { url: end.video.url ?? '' };
    case 'FAILED':
    case 'MODERATED':
    case 'REFUSED':
      return end.failure;
    case 'CANCELLED':
    case 'EXPIRED':
    case 'STILL_RUNNING':
    case 'FUTURE':
      return { code: end.outcome, message: 'No video was made.' };
  }
};
