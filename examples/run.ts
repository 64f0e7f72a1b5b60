import type { Example } from './example.ts';

/*
 * Runs an example against the server of `npm start`, or against LIPSYNC_URL, with the newest video:
 *
 *     npm ci && npm ci --prefix examples
 *     node examples/run.ts <apollo | apollo-http | urql | relay | event-source | kit> [text]
 *
 * Needs Node 22.18 or later, because the examples are TypeScript.
 */
const modules: Record<string, string> = {
  apollo: './apollo.ts',
  'apollo-http': './apollo-http.ts',
  urql: './urql.ts',
  relay: './relay/relay.ts',
  'event-source': './event-source.ts',
  kit: './kit.ts',
};

const [, , name = 'kit', text = 'Hello from an example.'] = process.argv;
const url = process.env.LIPSYNC_URL ?? 'http://127.0.0.1:4000/graphql';
const print = (line: string) => process.stdout.write(`${line}\n`);

const path = modules[name];
if (path === undefined) throw new Error(`Choose an example: ${Object.keys(modules).join(', ')}.`);
const { makeVideo } = (await import(path)) as { makeVideo: Example };

if (name === 'event-source') Object.assign(globalThis, await import('eventsource'));

const response = await fetch(url, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({
    query: `{ videos(first: 20, filter: { statuses: [COMPLETED] }) {
      ... on VideoConnection { nodes { id } } ... on LipsyncError { message } } }`,
  }),
});
const { data } = (await response.json()) as { data: { videos: { nodes: { id: string }[] } } };
const videoId = data.videos.nodes[0]?.id ?? '';

const outcome = await makeVideo(url, { videoId, text }, ({ status, percent }) =>
  print(`${status} ${Math.round(percent)} %`),
);
print('url' in outcome ? outcome.url : `${outcome.message} [${outcome.code}]`);
