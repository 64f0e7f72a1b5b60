import { openAsBlob } from 'node:fs';
import { basename } from 'node:path';
import { z } from 'zod';
import { type Client, onFailure, wordsOf } from './client.ts';
import { DemoFailure, reasonOf } from './failure.ts';
import { contentTypeOf, type UploadKind } from './files.ts';
import type { Progress } from './screen.ts';

export type Uploaded = { id: string; bytes: number; seconds: number | null };

const createUpload = `mutation ($input: CreateUploadInput!) {
  answer: createUpload(input: $input) {
    ... on CreateUploadSuccess { uploadUrl }
    ${onFailure}
  }
}`;

const uploadShape = z.object({ uploadUrl: z.string() });
const putShape = z.union([
  z.object({ id: z.string(), durationSeconds: z.number().nullable() }),
  z.object({ code: z.string(), message: z.string() }),
]);

/** Asks for an address and PUTs the file there: the way for files of any size. */
export async function upload(
  client: Client,
  file: { path: string; kind: UploadKind },
  signal: AbortSignal,
): Promise<Uploaded> {
  const { path, kind } = file;
  const body = await openAsBlob(path);
  const input = {
    kind,
    contentType: contentTypeOf(path, kind),
    size: body.size,
    filename: basename(path),
  };
  const { uploadUrl } = await client.ask(createUpload, { input }, uploadShape);
  const response = await fetch(uploadUrl, { method: 'PUT', body, signal }).catch(
    (error: unknown) => {
      signal.throwIfAborted();
      throw new DemoFailure(`${path} could not be sent: ${reasonOf(error)}`);
    },
  );
  const answer = putShape.parse(await response.json());
  if ('code' in answer) throw new DemoFailure(`${path}: ${answer.message} [${answer.code}]`);
  return { id: answer.id, bytes: body.size, seconds: answer.durationSeconds };
}

const videos = `query ($after: String) {
  answer: videos(first: 20, after: $after, filter: { status: [COMPLETED] }) {
    ... on VideoConnection {
      nodes { id prompt width height durationSeconds }
      pageInfo { hasNextPage endCursor }
    }
    ${onFailure}
  }
}`;

const videoShape = z.object({
  id: z.string(),
  prompt: z.string().nullable(),
  width: z.number().nullable(),
  height: z.number().nullable(),
  durationSeconds: z.number().nullable(),
});
const videosShape = z.object({
  nodes: z.array(videoShape),
  pageInfo: z.object({ hasNextPage: z.boolean(), endCursor: z.string().nullable() }),
});

/** A page may hold none and still not be the last: a filter is applied after the pages are cut. */
export async function findNewestVideo(client: Client): Promise<z.infer<typeof videoShape>> {
  let after: string | null = null;
  do {
    const { nodes, pageInfo }: z.infer<typeof videosShape> = await client.ask(
      videos,
      { after },
      videosShape,
    );
    if (nodes[0] !== undefined) return nodes[0];
    after = pageInfo.hasNextPage ? pageInfo.endCursor : null;
  } while (after !== null);
  throw new DemoFailure('The account has no finished video yet. Give one: --video my.mp4');
}

const createLipsync = `mutation ($input: CreateLipsyncInput!) {
  answer: createLipsync(input: $input) {
    ... on CreateLipsyncSuccess { lipsync { id status } }
    ... on OutcomeUnknownError { lipsync { id status } }
    ${onFailure}
  }
}`;

const creationShape = z.object({
  lipsync: z.object({ id: z.string(), status: z.string() }),
  /** Only of an outcome that is not known: the lip-sync can be watched all the same. */
  message: z.string().optional(),
});

export type Source = { id: string } | { uploadId: string };

export function create(
  client: Client,
  { video, audioUploadId }: { video: Source; audioUploadId: string },
): Promise<z.infer<typeof creationShape>> {
  const input = { video, speech: { audioUploadId }, reference: 'demo' };
  return client.ask(createLipsync, { input }, creationShape);
}

const watchLipsync = `subscription ($id: ID!) {
  answer: lipsyncProgress(id: $id) {
    ... on LipsyncProgress {
      status percent queuePosition
      failure { code message retryAfterSeconds }
      lipsync { progress { estimatedCompletionAt } result { url } }
    }
    ${onFailure}
  }
}`;

const progressShape = z.object({
  status: z.string(),
  percent: z.number(),
  queuePosition: z.number().nullable(),
  failure: z
    .object({ code: z.string(), message: z.string(), retryAfterSeconds: z.number().nullable() })
    .nullable(),
  lipsync: z.object({
    progress: z.object({ estimatedCompletionAt: z.coerce.date().nullable() }),
    result: z.object({ url: z.string().nullable() }).nullable(),
  }),
});

/**
 * Watches a lip-sync to its end.
 *
 * @returns the address of the finished video
 */
export async function follow(
  client: Client,
  id: string,
  onProgress: (progress: Progress) => void,
): Promise<string> {
  let status = 'not started';
  for await (const event of client.watch(watchLipsync, { id }, progressShape)) {
    const { progress, result } = event.lipsync;
    status = event.status;
    onProgress({ ...event, estimatedCompletionAt: progress.estimatedCompletionAt });
    if (event.failure !== null) throw new DemoFailure(wordsOf(event.failure));
    if (status === 'COMPLETED' && result?.url != null) return result.url;
  }
  throw new DemoFailure(`The lip-sync ended without a video: it is ${status}.`);
}
