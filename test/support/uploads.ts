import { expect } from 'vitest';
import { askForData, type Client } from './lipsyncs.ts';

const contentTypes = { AUDIO: 'audio/wav', VIDEO: 'video/mp4' };

/** The id of a new upload that waits for its file, and the URL for it. By default an audio. */
export async function createUpload(
  client: Client,
  input: { kind?: keyof typeof contentTypes; size?: number | null } = {},
): Promise<{ id: string; url: string }> {
  const { kind = 'AUDIO', ...given } = input;
  type Data = { createUpload: { upload: { id: string }; uploadUrl: string } };
  const { createUpload: created } = await askForData<Data>(
    client,
    `mutation ($input: CreateUploadInput!) { createUpload(input: $input) {
       ... on CreateUploadSuccess { upload { id } uploadUrl } } }`,
    { input: { kind, contentType: contentTypes[kind], ...given } },
  );
  return { id: created.upload.id, url: created.uploadUrl };
}

/** Uploads a WAV or an MP4 and returns the id of the upload, which is READY. */
export async function uploadFile(
  client: Client,
  kind: keyof typeof contentTypes,
  body: Uint8Array<ArrayBuffer>,
): Promise<string> {
  const { id, url } = await createUpload(client, { kind });
  const response = await fetch(url, { method: 'PUT', body });
  expect(response.status).toBe(200);
  return id;
}

/** The file of the newest finished video that the caller sees. */
export async function downloadVideo(client: Client): Promise<Uint8Array<ArrayBuffer>> {
  type Data = { videos: { nodes: { url: string }[] } };
  const { videos } = await askForData<Data>(
    client,
    '{ videos(first: 1, filter: { statuses: [COMPLETED] }) { ... on VideoConnection { nodes { url } } } }',
  );
  const response = await fetch(videos.nodes[0]?.url ?? '');
  return new Uint8Array(await response.arrayBuffer());
}
