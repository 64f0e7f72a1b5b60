import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { execute, type GraphQLSchema, parse } from 'graphql';
import type { GraphiQLOptions } from 'graphql-yoga';
import { z } from 'zod';
import { isAdmitted } from '../../graphql/access.ts';
import type { ContextFactory } from '../auth/sessions.ts';
import type { PipelinePlugin } from '../operation/plugin.ts';
import { createTabs, speakAudio } from './tabs.ts';

/** The ids for the variables of the prepared tabs. Executed as the visitor, so that it returns only data of the visitor. */
const newestQuery = parse(`{
  videos(first: 1, filter: { statuses: [COMPLETED] }) { ... on VideoConnection { nodes { id } } }
  lipsyncs(first: 1) { edges { node { id } } }
}`);

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
 * the request. After the first visit the browser restores the tabs that it has stored.
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
 * The HTML of GraphiQL with all of its code inline: the browser loads nothing else. Its 9 MB are read and put together on
 * the first request. After that every response sends the same buffers, and only the nonce and the options are new: a client
 * needs no token for the page, so it must cost neither time nor memory.
 */
export async function renderPage({ nonce = '', newest = noIds, ...options }: PageOptions) {
  pageParts ??= readPageParts();
  const { start, code, end, sample } = await pageParts;
  const pageOptions = { ...options, newest: { ...newest, audio: '' }, speakAudio, sample };
  const page = [
    ...[start, Buffer.from(`<script nonce="${nonce}">`), code],
    ...[Buffer.from(JSON.stringify(pageOptions)), end],
  ];
  // Yoga accepts a stream of Node too. It waits for the client, so a slow client holds one piece.
  return Readable.from(splitAll(page), { objectMode: false }) as unknown as BodyInit;
}

type Sample = { name: string; base64: string };

/** The page without its nonce and options, and the audio file in the options. */
type PageParts = { start: Buffer; code: Buffer; end: Buffer; sample: Sample };

let pageParts: Promise<PageParts> | undefined;

/** Yoga renders the page and a few places in its HTML are replaced. Throws if the HTML does not have them any more. */
async function readPageParts(): Promise<PageParts> {
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const { style, scripts } = await readOwnCode();
  const html = replaceEach(renderGraphiQL(fixedOptions), [
    ['</head>', `<style>${style}</style></head>`],
    // Our script reads and writes the editors through this API.
    ['globalAPI: false', 'globalAPI: true'],
    ['YogaGraphiQL.renderYogaGraphiQL(', `${scripts};\nopenGraphiql(`],
  ]);
  const [start, script] = cutOut('<script>', html);
  const [code, end] = cutOut(JSON.stringify(fixedOptions), script);
  const base64 = await readFile(new URL('../../demo-media/speech.mp3', import.meta.url), 'base64');
  return {
    start: Buffer.from(start),
    code: Buffer.from(code),
    end: Buffer.from(end),
    sample: { name: 'speech.mp3', base64 },
  };
}

async function readOwnCode(): Promise<{ style: string; scripts: string }> {
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
  return { style, scripts: scripts.join(';\n') };
}

/** Replaces the first occurrence of each text. */
function replaceEach(html: string, replacements: [from: string, to: string][]): string {
  return replacements.reduce((page, [from, to]) => cutOut(from, page).join(to), html);
}

/** What is before and after the first occurrence of a text. */
function cutOut(text: string, html: string): [before: string, after: string] {
  const at = html.indexOf(text);
  if (at < 0) throw new Error(`Yoga's GraphiQL page does not contain ${text}.`);
  return [html.slice(0, at), html.slice(at + text.length)];
}

const pieceBytes = 65_536;

function* splitAll(buffers: readonly Buffer[]): Generator<Buffer> {
  for (const buffer of buffers) {
    for (let at = 0; at < buffer.byteLength; at += pieceBytes) {
      yield buffer.subarray(at, at + pieceBytes);
    }
  }
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
    trace: null,
    lastEventId: null,
    signal: request.signal,
  });
  if (!isAdmitted(contextValue.caller)) return noIds;
  const { data } = await execute({ schema, document: newestQuery, contextValue });
  const { videos, lipsyncs } = newestShape.parse(data);
  return { video: videos.nodes[0]?.id ?? '', lipsync: lipsyncs.edges[0]?.node.id ?? '' };
}
