import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { print } from 'graphql';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { startTestApp } from '../../test/support/app.ts';
import { connect, listVoices } from '../cacheable-query.ts';

afterEach(() => vi.unstubAllGlobals());

describe('works', () => {
  test('a trusted document is sent by id with GET, and its answer is cacheable', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lipsync-trusted-'));
    const path = join(folder, 'documents.json');
    await writeFile(path, JSON.stringify({ Voices: print(listVoices) }));
    await using app = await startTestApp({ env: { TRUSTED_DOCUMENTS: path } });
    await rm(folder, { recursive: true });
    const requests: { method: string; url: string; cache: string | null }[] = [];
    const originalFetch = fetch;
    vi.stubGlobal('fetch', async (url: string, request: RequestInit) => {
      const response = await originalFetch(url, request);
      const { headers } = response;
      requests.push({ method: request.method ?? 'GET', url, cache: headers.get('cache-control') });
      return response;
    });
    const client = connect(`${app.url}/graphql`);
    const { data } = await client.query<{ voices: { nodes: unknown[] } }>({ query: listVoices });
    expect(data?.voices.nodes).toHaveLength(14);
    expect(requests).toMatchObject([{ method: 'GET', cache: 'public, max-age=300' }]);
    expect(requests[0]?.url).not.toContain('query=');
  });
});
