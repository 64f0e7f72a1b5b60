import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { testStorage } from '../support/database.ts';
import { startProgram } from '../support/program.ts';

/** Slow to load and not needed by most starts: each is loaded on first use. */
const later = [
  'graphql-yoga',
  'prom-client',
  'file-type',
  'jose',
  'mediabunny',
  '@mediabunny/mp3-encoder',
  'music-metadata',
  '@humansignal/audio-file-decoder',
  'opus-decoder',
  '@wasm-audio-decoders/ogg-vorbis',
  'av',
  'alac',
  '@audio/decode-aiff',
  '@audio/decode-caf',
  '@graphql-yoga/render-graphiql',
];

describe('a start', () => {
  test('loads no demuxer, decoder, encoder, page or metrics library before its first answer', async () => {
    const storage = await testStorage();
    const program = startProgram({
      DATA_DIR: storage.dataDir,
      PORT: '0',
      NODE_OPTIONS: `--import=${join(import.meta.dirname, '../support/list-packages.ts')}`,
    });
    try {
      const client = await program.client();
      const { data } = await client.ask<{ viewer: { name: string } }>('{ viewer { name } }');
      expect(data?.viewer.name).toBe('anonymous');
      await program.kill('SIGTERM');
      const read = /^packages: (.*)$/m.exec(program.output)?.[1]?.split(' ') ?? [];
      expect(read).toContain('graphql');
      for (const name of later) expect(read).not.toContain(name);
    } finally {
      await program.kill('SIGKILL');
      await storage.remove();
    }
  });
});
