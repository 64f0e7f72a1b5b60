import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type TestStorage, testStorage } from '../../../support/database.ts';
import { type FileServer, openFileServer, sendFile } from '../../../support/file-server.ts';
import type { GraphQLClient } from '../../../support/graphql-client.ts';
import { createLipsync, readLipsync, readVideoIds } from '../../../support/lipsyncs.ts';
import { type Program, startProgram } from '../../../support/program.ts';
import { wavHeader } from '../../../support/wav.ts';

const longWait = { timeout: 60_000, interval: 50 };
const sound = Buffer.concat([wavHeader(32_000), Buffer.alloc(32_000)]);

let storage: TestStorage;
let files: FileServer;
let program: Program | null = null;
/** The first request hangs at half of the file; the others get it. */
beforeEach(async () => {
  storage = await testStorage();
  files = await openFileServer({
    '/a.wav': (response, n) => {
      if (n > 1) return sendFile(sound)(response, n, response.req);
      response.writeHead(200, { 'content-length': sound.byteLength });
      response.write(sound.subarray(0, 16_000));
    },
  });
});
afterEach(async () => {
  await program?.kill('SIGKILL');
  files.close();
  await storage.remove();
});

async function start(): Promise<GraphQLClient> {
  program = startProgram({
    PORT: '0',
    DATA_DIR: storage.dataDir,
    ...(storage.url === undefined ? {} : { DATABASE_URL: storage.url }),
    POLL_INTERVAL_MS: '500',
  });
  return program.client();
}

const readUpload = (client: GraphQLClient, id: string) =>
  client.ask<{ lipsync: { speechUpload: { status: string; bytesReceived: number } } }>(
    'query ($id: ID!) { lipsync(id: $id) { speechUpload { status bytesReceived } } }',
    { id },
  );

describe('works', { timeout: 180_000 }, () => {
  it.each(['SIGKILL', 'SIGTERM'] as const)(
    'begins an import again after %s, and sends the lip-sync that waits for it',
    async (signal) => {
      const before = await start();
      const [videoId] = await readVideoIds(before);
      const input = { video: { videoId }, speech: { url: files.url('/a.wav') } };
      const { id, status } = await createLipsync(before, input);
      expect(status).toBe('QUEUED');
      await vi.waitFor(() => expect(files.requests.length).toBe(1), longWait);
      await program?.kill(signal);

      const after = await start();
      // PostgreSQL's job is repeated when its lease has run out.
      await vi.waitFor(
        async () => expect((await readLipsync(after, id))?.status).toBe('COMPLETED'),
        longWait,
      );
      const { data } = await readUpload(after, id);
      expect(data?.lipsync.speechUpload).toEqual({
        status: 'READY',
        bytesReceived: sound.byteLength,
      });
      expect(files.requests.length).toBe(2);
    },
  );
});
