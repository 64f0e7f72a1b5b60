import { openAsBlob } from 'node:fs';
import { basename } from 'node:path';
import {
  createLipsync,
  type Lipsync,
  uploadFile,
  type WatchableServer,
  waitForLipsync,
} from 'lipsync-graphql-client';
import { z } from 'zod';
import { DemoFailure, reasonOf } from './failure.ts';
import { contentTypeOf, type UploadKind } from './files.ts';
import type { Progress } from './screen.ts';

/** The server as the client kit needs it. The signal ends every step. */
export type Client = { server: WatchableServer & { token: string }; signal: AbortSignal };

export type Uploaded = { id: string; bytes: number; seconds: number | null };

export async function upload(
  { server, signal }: Client,
  { path, kind }: { path: string; kind: UploadKind },
): Promise<Uploaded> {
  const file = await openAsBlob(path);
  const options = {
    kind,
    contentType: contentTypeOf(path, kind),
    filename: basename(path),
    signal,
  };
  const answer = await uploadFile(server, file, options);
  if (answer.__typename !== 'UploadReady') {
    throw new DemoFailure(`${path}: ${describeFailure(answer)}`);
  }
  return { id: answer.id, bytes: file.size, seconds: answer.durationSeconds };
}

/** The client kit has no list of videos. */
const videosQuery = `query ($after: String) {
  videos(first: 20, after: $after, filter: { statuses: [COMPLETED] }) {
    ... on VideoConnection {
      nodes { id prompt width height durationSeconds }
      pageInfo { hasNextPage endCursor }
    }
    ... on LipsyncError { code message retryAfterSeconds }
  }
}`;

const videoShape = z.object({
  id: z.string(),
  prompt: z.string().nullable(),
  width: z.number().nullable(),
  height: z.number().nullable(),
  durationSeconds: z.number().nullable(),
});
type Video = z.infer<typeof videoShape>;

const videosShape = z.union([
  z.object({
    nodes: z.array(videoShape),
    pageInfo: z.object({ hasNextPage: z.boolean(), endCursor: z.string().nullable() }),
  }),
  z.object({
    code: z.string(),
    message: z.string(),
    retryAfterSeconds: z.number().nullable(),
  }),
]);
const resultShape = z.object({ data: z.object({ videos: videosShape }) });

/** A page can be empty without being the last one, because the filter is applied after paging. */
export async function findNewestVideo({ server, signal }: Client): Promise<Video> {
  let after: string | null = null;
  do {
    const response: Response = await fetch(server.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${server.token}` },
      body: JSON.stringify({ query: videosQuery, variables: { after } }),
      signal,
    }).catch((error: unknown) => {
      signal.throwIfAborted();
      throw new DemoFailure(`The server does not answer: ${reasonOf(error)}`);
    });
    const { videos } = resultShape.parse(await response.json()).data;
    if ('code' in videos) throw new DemoFailure(describeFailure(videos));
    const { nodes, pageInfo } = videos;
    if (nodes[0] !== undefined) return nodes[0];
    after = pageInfo.hasNextPage ? pageInfo.endCursor : null;
  } while (after !== null);
  throw new DemoFailure('The account has no finished video yet. Give one: --video my.mp4');
}

export type Source = { videoId: string } | { uploadId: string };

/** `warning`: the lip-sync exists, but the video service has not confirmed it. */
export async function create(
  { server, signal }: Client,
  { video, uploadId }: { video: Source; uploadId: string },
): Promise<{ lipsync: Lipsync; warning: string | null }> {
  const input = { video, speech: { uploadId }, reference: 'demo' };
  const answer = await createLipsync(server, input, { signal });
  switch (answer.__typename) {
    case 'CreateLipsyncSuccess':
      return { lipsync: answer.lipsync, warning: null };
    case 'OutcomeUnknownError':
      return { lipsync: answer.lipsync, warning: answer.message };
    default:
      throw new DemoFailure(describeFailure(answer));
  }
}

/**
 * Waits until the lip-sync ends.
 *
 * @returns the address of the finished video
 */
export async function waitForVideo(
  { server, signal }: Client,
  id: string,
  onProgress: (progress: Progress) => void,
): Promise<string> {
  const end = await waitForLipsync(server, id, {
    signal,
    onProgress: ({ status, percent, queuePosition, lipsync }) => {
      const { estimatedCompletionAt } = lipsync.progress;
      const expectedAt = estimatedCompletionAt === null ? null : new Date(estimatedCompletionAt);
      onProgress({ status, percent, queuePosition, expectedAt });
    },
  });
  if ('failure' in end) throw new DemoFailure(describeFailure(end.failure));
  if (end.outcome === 'COMPLETED' && end.video.url !== null) return end.video.url;
  throw new DemoFailure(
    `The lip-sync ended without a video: its status is ${end.lipsync?.status}.`,
  );
}

function describeFailure(failure: {
  code: string;
  message: string;
  retryAfterSeconds: number | null;
}): string {
  const { code, message, retryAfterSeconds } = failure;
  const retry = retryAfterSeconds === null ? '' : ` Try again in ${retryAfterSeconds} s.`;
  return `${message} [${code}]${retry}`;
}
