import type { IncomingMessage, ServerResponse } from 'node:http';
import type { VideoService } from '../../domains/videos/service.ts';
import { Failure } from '../../errors.ts';
import { notFoundBody, sendJson } from './responses.ts';

const goneBody = {
  code: 'NOT_FOUND',
  message: 'The video service does not have this video any more.',
};

/**
 * GET and HEAD /results/<token>: redirects to the present address of a video's file. The token in the path is the only
 * credential. An invalid token costs one hash: no database access and no upstream call.
 */
export function createResultHandler({ videos }: { videos: Pick<VideoService, 'findFile'> }) {
  return async (
    request: IncomingMessage,
    response: ServerResponse,
    token: string,
  ): Promise<void> => {
    request.resume();
    const file = await videos.findFile(token).catch(rethrowUnexpected);
    if (file instanceof Failure) return sendFailure(response, file);
    if (file.kind === 'unknown') return sendJson(response, 404, notFoundBody);
    if (file.kind === 'gone') return sendJson(response, 410, goneBody);
    // A page of another site may show the video: the default of this server forbids it.
    response.setHeader('cross-origin-resource-policy', 'cross-origin');
    response.writeHead(302, { location: file.url }).end();
  };
}

function rethrowUnexpected(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  throw thrown;
}

function sendFailure(response: ServerResponse, failure: Failure): void {
  const { code, message, retryAfterSeconds } = failure;
  if (retryAfterSeconds !== null) response.setHeader('retry-after', retryAfterSeconds);
  sendJson(response, 502, { code, message });
}
