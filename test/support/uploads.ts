import { expect } from 'vitest';
import { askForData, type Client } from './lipsyncs.ts';

const contentTypes = { AUDIO: 'audio/wav', VIDEO: 'video/mp4' };

/** Uploads a WAV or an MP4 and returns the id of the upload, which is READY. */
export async function uploadFile(
  client: Client,
  kind: keyof typeof contentTypes,
  body: Uint8Array<ArrayBuffer>,
): Promise<string> {
  type Data = { createUpload: { upload: { id: string }; uploadUrl: string } };
  const { createUpload } = await askForData<Data>(
    client,
    `mutation ($input: CreateUploadInput!) { createUpload(input: $input) {
       ... on CreateUploadSuccess { upload { id } uploadUrl } } }`,
    { input: { kind, contentType: contentTypes[kind] } },
  );
  const response = await fetch(createUpload.uploadUrl, { method: 'PUT', body });
  expect(response.status).toBe(200);
  return createUpload.upload.id;
}

/** The file of the newest finished video that the caller sees. */
export async function downloadVideo(client: Client): Promise<Uint8Array<ArrayBuffer>> {
  type Data = { videos: { nodes: { url: string }[] } };
  const { videos } = await askForData<Data>(
    client,
    '{ videos(first: 1, filter: { status: [COMPLETED] }) { ... on VideoConnection { nodes { url } } } }',
  );
  const response = await fetch(videos.nodes[0]?.url ?? '');
  return new Uint8Array(await response.arrayBuffer());
}
