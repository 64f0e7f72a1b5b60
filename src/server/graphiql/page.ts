import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { type GraphQLSchema, graphql } from 'graphql';
import type { GraphiQLOptions } from 'graphql-yoga';
import { z } from 'zod';
import type { ContextFactory } from '../auth/sessions.ts';
import type { PipelinePlugin } from '../operation/plugin.ts';
import { createTabs, speakAudio } from './tabs.ts';

/** The ids for the variables of the prepared tabs. Executed as the visitor, so that it returns only data of the visitor. */
const newestQuery = `{
  videos(first: 1, filter: { status: [COMPLETED] }) { ... on VideoConnection { nodes { id } } }
  lipsyncs(first: 1) { edges { node { id } } }
}`;

const idShape = z.object({ id: z.string() });
const newestShape = z.object({
  videos: z.object({ nodes: z.array(idShape) }).catch({ nodes: [] }),
  lipsyncs: z.object({ edges: z.array(z.object({ node: idShape })) }).catch({ edges: [] }),
});

type NewestIds = { video: string; lipsync: string };

const noIds: NewestIds = { video: '', lipsync: '' };

/** The page does not wait longer for the video service: without ids the visitor fills in the variables. */
const maxWaitMs = 2_000;

/** A speech bubble with sound waves. */
const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" width="26" height="26"><path fill="#d60590" d="M6 3h20a5 5 0 0 1 5 5v11a5 5 0 0 1-5 5H16l-7 6v-6H6a5 5 0 0 1-5-5V8a5 5 0 0 1 5-5z"/><path stroke="#fff" stroke-width="2.4" stroke-linecap="round" d="M8 12v3M12 9v9M16 11v5M20 8v11M24 12v3"/></svg>`;

const fixedOptions: GraphiQLOptions = {
  title: 'Lip-sync GraphQL',
  logo: icon,
  favicon: `data:image/svg+xml,${encodeURIComponent(icon)}`,
  shouldPersistHeaders: false,
};

/** `nonce` allows the page's own script, and no other, in the Content-Security-Policy. */
type PageOptions = GraphiQLOptions & { nonce?: string; newest?: NewestIds };

/** The nonce of each page between its request and its response. */
const nonces = new WeakMap<Request, string>();

/**
 * GraphiQL with prepared tabs that work at one click. Their variables have the newest real ids of the visitor at the time of
 * the request. After the first visit the browser keeps the tabs itself.
 */
export function createGraphiql(parts: { schema: GraphQLSchema; createContext: ContextFactory }) {
  return async (request: Request): Promise<PageOptions> => {
    const nonce = randomBytes(16).toString('base64');
    nonces.set(request, nonce);
    const found = findNewest(parts, request).catch(() => noIds);
    const newest = await Promise.race([found, wait(maxWaitMs, noIds, { ref: false })]);
    return { ...fixedOptions, nonce, newest, defaultTabs: createTabs(newest) };
  };
}

/**
 * The HTML of GraphiQL with all of its code inline: the browser loads nothing else. Its 9 MB are read on the first request.
 * Yoga renders the page and a few places in its HTML are replaced. It throws if Yoga's HTML does not have them any more.
 */
export async function renderPage({ nonce = '', newest = noIds, ...options }: PageOptions) {
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  pageParts ??= readPageParts();
  const { style, scripts, sample } = await pageParts;
  const pageOptions = { ...options, newest: { ...newest, audio: '' }, speakAudio, sample };
  return replaceEach(renderGraphiQL(pageOptions), [
    ['</head>', `<style>${style}</style></head>`],
    ['<script>', `<script nonce="${nonce}">`],
    // Our script reads and writes the editors through this API.
    ['globalAPI: false', 'globalAPI: true'],
    ['YogaGraphiQL.renderYogaGraphiQL(', `${scripts};\nopenGraphiql(`],
  ]);
}

type PageParts = { style: string; scripts: string; sample: { name: string; base64: string } };

let pageParts: Promise<PageParts> | undefined;

async function readPageParts(): Promise<PageParts> {
  const browserFile = (name: string) => new URL(`./browser/${name}`, import.meta.url);
  const graphqlWs = new URL(
    'umd/graphql-ws.min.js',
    import.meta.resolve('graphql-ws/package.json'),
  );
  const texts = [
    browserFile('page.css'),
    graphqlWs,
    browserFile('upload.js'),
    browserFile('fetcher.js'),
    browserFile('page.js'),
  ];
  const [style = '', ...modules] = await Promise.all(texts.map((file) => readFile(file, 'utf8')));
  // Joined to one script without imports and exports: each file uses declarations of those before it.
  const scripts = modules.map((text) => text.replaceAll(/^import .*;$|^export /gm, ''));
  const sample = await readFile(new URL('../../demo-media/speech.mp3', import.meta.url), 'base64');
  return { style, scripts: scripts.join(';\n'), sample: { name: 'speech.mp3', base64: sample } };
}

/** Replaces the first occurrence of each text. */
function replaceEach(html: string, replacements: [from: string, to: string][]): string {
  return replacements.reduce((page, [from, to]) => {
    if (!page.includes(from)) throw new Error(`Yoga's GraphiQL page does not contain ${from}.`);
    return page.replace(from, () => to);
  }, html);
}

/** Sets the Content-Security-Policy of the page: its own script and requests to its own server. */
export function usePagePolicy(): PipelinePlugin {
  return {
    onResponse({ request, response }) {
      const nonce = nonces.get(request);
      if (nonce !== undefined) response.headers.set('content-security-policy', policyOf(nonce));
    },
  };
}

/** The editors create styles and workers at run time. */
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
  { schema, createContext }: { schema: GraphQLSchema; createContext: ContextFactory },
  request: Request,
): Promise<NewestIds> {
  const contextValue = await createContext({
    authorization: request.headers.get('authorization'),
    requestId: request.headers.get('x-request-id') ?? 'unknown',
    lastEventId: null,
    signal: request.signal,
  });
  const { data } = await graphql({ schema, source: newestQuery, contextValue });
  const { videos, lipsyncs } = newestShape.parse(data);
  return { video: videos.nodes[0]?.id ?? '', lipsync: lipsyncs.edges[0]?.node.id ?? '' };
}
