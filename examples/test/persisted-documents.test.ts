import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { generatePersistedQueryIdsFromManifest } from '@apollo/persisted-query-lists';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startTestApp } from '../../test/support/app.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..');
const tool = (path: string) => join(root, 'node_modules', path);

const voices = 'query Voices { voices { ... on VoiceList { nodes { id name } } } }';
type Data = { voices: { nodes: unknown[] } };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lipsync-documents-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** What Apollo's generator writes for one document. */
async function generateManifest(): Promise<string> {
  const config = join(folder, 'persisted.config.json');
  const output = join(folder, 'manifest.json');
  await writeFile(join(folder, 'voices.graphql'), voices);
  await writeFile(config, JSON.stringify({ documents: ['*.graphql'], output }));
  const cli = tool('@apollo/generate-persisted-query-manifest/cli.js');
  await run(process.execPath, [cli, '--config', config], { cwd: folder });
  return output;
}

/** What Relay's compiler writes for the documents of the Relay example. */
async function compileForRelay(): Promise<string> {
  await cp(join(root, 'relay'), join(folder, 'src'), { recursive: true });
  await cp(join(root, '../client.graphql'), join(folder, 'client.graphql'));
  await mkdir(join(folder, 'artifacts'));
  const output = join(folder, 'persisted.json');
  await writeFile(output, '{}');
  const config = JSON.parse(await readFile(join(root, 'relay.config.json'), 'utf8')) as object;
  const own = {
    ...config,
    src: './src',
    schema: './client.graphql',
    artifactDirectory: './artifacts',
    excludes: ['**/__generated__/**'],
    persistConfig: { file: './persisted.json', algorithm: 'SHA256' },
  };
  await writeFile(join(folder, 'relay.config.json'), JSON.stringify(own));
  await run(process.execPath, [tool('relay-compiler/cli.js'), 'relay.config.json'], {
    cwd: folder,
  });
  return output;
}

describe('works', () => {
  test("Apollo's manifest is accepted unchanged, and Apollo Client sends its ids", async () => {
    const path = await generateManifest();
    await using app = await startTestApp({ env: { TRUSTED_DOCUMENTS: path } });
    const ids = generatePersistedQueryIdsFromManifest({
      loadManifest: async () => JSON.parse(await readFile(path, 'utf8')),
    });
    const link = new PersistedQueryLink(ids).concat(new HttpLink({ uri: `${app.url}/graphql` }));
    const client = new ApolloClient({ cache: new InMemoryCache(), link });
    const { data } = await client.query<Data>({ query: gql(voices) });
    expect(data?.voices.nodes).toHaveLength(14);
    const other = await app.ask('{ __typename }');
    expect(other.errors).toMatchObject([{ extensions: { code: 'DOCUMENT_NOT_TRUSTED' } }]);
  });

  test("Relay's persisted queries are accepted unchanged", async () => {
    const path = await compileForRelay();
    const persisted = JSON.parse(await readFile(path, 'utf8')) as Record<string, string>;
    expect(Object.keys(persisted).length).toBeGreaterThan(0);
    await using app = await startTestApp({ env: { TRUSTED_DOCUMENTS: path } });
    for (const [documentId, text] of Object.entries(persisted)) {
      const response = await fetch(`${app.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify({ documentId, variables: {} }),
      });
      // Its variables are missing, so that nothing is created: the document itself is known.
      const { errors = [] } = (await response.json()) as {
        errors?: { extensions: { code: string } }[];
      };
      const codes = errors.map(({ extensions }) => extensions.code);
      expect(codes, text).not.toContain('DOCUMENT_NOT_TRUSTED');
    }
  });

  test('Apollo Client sends the document after the server does not know its hash', async () => {
    await using app = await startTestApp();
    const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
    const link = new PersistedQueryLink({ sha256 }).concat(
      new HttpLink({ uri: `${app.url}/graphql` }),
    );
    const client = new ApolloClient({ cache: new InMemoryCache(), link });
    const { data } = await client.query<Data>({ query: gql(voices) });
    expect(data?.voices.nodes).toHaveLength(14);
  });
});
