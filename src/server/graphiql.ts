import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { type GraphQLSchema, graphql } from 'graphql';
import type { GraphiQLOptions, Plugin } from 'graphql-yoga';
import { z } from 'zod';
import type { ContextFactory } from './context.ts';

/* Lines of at most 48 characters: more is out of view in a window of 1280 pixels. */

const voices = `# The voices that can speak a text.
# Press the play button, or Ctrl-Enter.
query Voices {
  voices {
    ... on VoiceList {
      nodes { id name previewUrl }
    }
    ... on LipsyncError { code message }
  }
}
`;

const videos = `# Videos whose person can be made to speak,
# the newest first.
query Videos {
  videos(
    first: 5
    filter: { status: [COMPLETED] }
  ) {
    ... on VideoConnection {
      nodes {
        id prompt createdAt
        width height durationSeconds
        url posterUrl
      }
      pageInfo { hasNextPage endCursor }
    }
    ... on LipsyncError { code message }
  }
}
`;

const create = `# Makes a person speak: the variables name
# the video and what to say. Copy the id of
# the lip-sync into the next tab to watch it.
mutation CreateLipsync(
  $video: ID!
  $text: String!
) {
  createLipsync(
    input: {
      video: { id: $video }
      speech: { text: { text: $text } }
      reference: "graphiql"
    }
  ) {
    __typename
    ... on CreateLipsyncSuccess {
      lipsync { id status createdAt }
    }
    ... on OutcomeUnknownError {
      lipsync { id status }
    }
    ... on InvalidInputError {
      issues { path message }
    }
    ... on LipsyncError {
      code message
      retryable retryAfterSeconds
    }
  }
}
`;

const watch = `# What happens to a lip-sync, live. The
# variables name it: put its id there.
subscription Watch($id: ID!) {
  lipsyncProgress(id: $id) {
    ... on LipsyncProgress {
      sequence
      status
      percent
      queuePosition
      occurredAt
      source
      cursor
      failure { code message }
      lipsync {
        result { url durationSeconds }
      }
    }
    ... on LipsyncError { code message }
  }
}
`;

const onPurpose = `# An error on purpose: a failure that was
# foreseen is data, with a type of its own.
query NoSuchPage {
  videos(first: 1000) {
    __typename
    ... on InvalidInputError {
      code message
      issues { path message }
    }
  }
}
`;

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

/** The page must not wait for a video service that hangs: then its tabs are a little less ready. */
const patienceMs = 2_000;

const always: GraphiQLOptions = {
  title: 'Lip-sync GraphQL',
  subscriptionsProtocol: 'WS',
  shouldPersistHeaders: false,
};

/** `nonce` names the one script that the page may run. */
type PageOptions = GraphiQLOptions & { nonce?: string };

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
    const none: NewestIds = { video: '', lipsync: '' };
    const found = findNewest(parts, request).catch(() => none);
    return {
      ...always,
      nonce,
      defaultTabs: tabsWith(await Promise.race([found, patience(none)])),
    };
  };
}

/**
 * GraphiQL gives a tab its place for being dragged only while it has the focus, and a wrong one where a page opens
 * with several tabs: the first press moved the tab away from under the pointer, and the click was lost.
 */
const steadyTabs = '<style>.graphiql-tab { transform: none !important; }</style>';

/** The page with all of its code in it: nothing comes from elsewhere. Its 9 MB are read when first asked for. */
export async function renderPage({ nonce = '', ...options }: PageOptions): Promise<string> {
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  return renderGraphiQL(options)
    .replace('</head>', () => `${steadyTabs}</head>`)
    .replace('<script>', () => `<script nonce="${nonce}">`);
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

function patience(none: NewestIds): Promise<NewestIds> {
  return wait(patienceMs, none, { ref: false });
}

function tabsWith({ video, lipsync }: NewestIds): NonNullable<GraphiQLOptions['defaultTabs']> {
  const variables = (values: object) => JSON.stringify(values, null, 2);
  return [
    { query: voices },
    { query: videos },
    { query: create, variables: variables({ video, text: 'Hello from GraphiQL!' }) },
    { query: watch, variables: variables({ id: lipsync }) },
    { query: onPurpose },
  ];
}
