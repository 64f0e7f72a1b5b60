import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { type GraphQLSchema, graphql } from 'graphql';
import type { GraphiQLOptions, Plugin } from 'graphql-yoga';
import { z } from 'zod';
import type { ContextFactory } from '../auth/context.ts';
import { readyTabs, speakAudio } from './tabs.ts';

/** What the variables of the ready tabs need: asked as the visitor, so that nobody sees more than it may. */
const newest = `{
  videos(first: 1, filter: { status: [COMPLETED] }) { ... on VideoConnection { nodes { id } } }
  lipsyncs(first: 1) { edges { node { id } } }
}`;

const idShape = z.object({ id: z.string() });
const newestShape = z.object({
  videos: z.object({ nodes: z.array(idShape) }).catch({ nodes: [] }),
  lipsyncs: z.object({ edges: z.array(z.object({ node: idShape })) }).catch({ edges: [] }),
});

type NewestIds = { video: string; lipsync: string };

const none: NewestIds = { video: '', lipsync: '' };

/** The page must not wait for a video service that hangs: then its tabs are a little less ready. */
const patienceMs = 2_000;

/** What is said by somebody. */
const mark = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" width="26" height="26"><path fill="#d60590" d="M6 3h20a5 5 0 0 1 5 5v11a5 5 0 0 1-5 5H16l-7 6v-6H6a5 5 0 0 1-5-5V8a5 5 0 0 1 5-5z"/><path stroke="#fff" stroke-width="2.4" stroke-linecap="round" d="M8 12v3M12 9v9M16 11v5M20 8v11M24 12v3"/></svg>`;

const always: GraphiQLOptions = {
  title: 'Lip-sync GraphQL',
  logo: mark,
  favicon: `data:image/svg+xml,${encodeURIComponent(mark)}`,
  shouldPersistHeaders: false,
};

/** `nonce` names the one script that the page may run. */
type PageOptions = GraphiQLOptions & { nonce?: string; newest?: NewestIds };

/** Of the pages that were asked for, until they are answered. */
const nonces = new WeakMap<Request, string>();

/**
 * GraphiQL for a newcomer: tabs that answer at one click. Their ids are real ones where the visitor has any, as the
 * page is asked for; from then on the browser keeps its tabs itself.
 */
export function createGraphiql(parts: { schema: GraphQLSchema; contextOf: ContextFactory }) {
  return async (request: Request): Promise<PageOptions> => {
    const nonce = randomBytes(16).toString('base64');
    nonces.set(request, nonce);
    const found = findNewest(parts, request).catch(() => none);
    const newest = await Promise.race([found, wait(patienceMs, none, { ref: false })]);
    return { ...always, nonce, newest, defaultTabs: readyTabs(newest) };
  };
}

/**
 * The page with all of its code in it: nothing comes from elsewhere. Its 9 MB are read when first asked for. Yoga's own
 * page is a picture of that, and what ours has beyond it is exchanged in it: it throws where Yoga's has changed.
 */
export async function renderPage({ nonce = '', newest = none, ...options }: PageOptions) {
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  parts ??= readParts();
  const { style, scripts, sample } = await parts;
  const given = { ...options, newest: { ...newest, audio: '' }, speakAudio, sample };
  return exchange(renderGraphiQL(given), [
    ['</head>', `<style>${style}</style></head>`],
    ['<script>', `<script nonce="${nonce}">`],
    // So that what is in the editors can be read and written.
    ['globalAPI: false', 'globalAPI: true'],
    ['YogaGraphiQL.renderYogaGraphiQL(', `${scripts};\nopenGraphiql(`],
  ]);
}

type Parts = { style: string; scripts: string; sample: { name: string; base64: string } };

let parts: Promise<Parts> | undefined;

async function readParts(): Promise<Parts> {
  const page = (name: string) => new URL(`../graphiql/${name}`, import.meta.url);
  const graphqlWs = new URL(
    'umd/graphql-ws.min.js',
    import.meta.resolve('graphql-ws/package.json'),
  );
  const texts = [
    page('page.css'),
    graphqlWs,
    page('upload.js'),
    page('fetcher.js'),
    page('page.js'),
  ];
  const [style = '', ...modules] = await Promise.all(texts.map((file) => readFile(file, 'utf8')));
  // One script, in which each finds what the one before declares.
  const scripts = modules.map((text) => text.replaceAll(/^import .*;$|^export /gm, ''));
  const sample = await readFile(new URL('../../demo-media/speech.mp3', import.meta.url), 'base64');
  return { style, scripts: scripts.join(';\n'), sample: { name: 'speech.mp3', base64: sample } };
}

/** Each first place of a text becomes another. */
function exchange(html: string, pairs: [from: string, to: string][]): string {
  return pairs.reduce((page, [from, to]) => {
    if (!page.includes(from)) throw new Error(`Yoga's page has no ${from} any more.`);
    return page.replace(from, () => to);
  }, html);
}

/** The page may run its own script and speak to its own server, and nothing else. */
export function usePagePolicy(): Plugin {
  return {
    onResponse({ request, response }) {
      const nonce = nonces.get(request);
      if (nonce !== undefined) response.headers.set('content-security-policy', policyOf(nonce));
    },
  };
}

/** Its editors make styles and workers as they go. */
function policyOf(nonce: string): string {
  return [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    "style-src 'unsafe-inline'",
    'worker-src blob:',
    'font-src data:',
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

async function findNewest(
  { schema, contextOf }: { schema: GraphQLSchema; contextOf: ContextFactory },
  request: Request,
): Promise<NewestIds> {
  const contextValue = await contextOf({
    authorization: request.headers.get('authorization'),
    requestId: request.headers.get('x-request-id') ?? 'unknown',
    lastEventId: null,
    signal: request.signal,
  });
  const { data } = await graphql({ schema, source: newest, contextValue });
  const { videos, lipsyncs } = newestShape.parse(data);
  return { video: videos.nodes[0]?.id ?? '', lipsync: lipsyncs.edges[0]?.node.id ?? '' };
}
