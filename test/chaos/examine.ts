import { keyOf } from '../../src/graphql/ids.ts';
import { createGraphQLClient } from '../support/graphql-client.ts';
import type { Client } from './client.ts';
import type { Product } from './product.ts';
import type { Upstream, UpstreamJob } from './upstream.ts';
import { type Findings, judge } from './verdict.ts';

type Stored = {
  id: string;
  status: string;
  failure: { code: string } | null;
  events: { nodes: { cursor: string; sequence: number; status: string }[] };
};
type Page = {
  lipsyncs: { nodes: Stored[]; pageInfo: { hasNextPage: boolean; endCursor: string | null } };
};

const listDocument = `query ($after: String) { lipsyncs(first: 20, after: $after) {
  nodes { id status failure { code } events(first: 100) { nodes { cursor sequence status } } }
  pageInfo { hasNextPage endCursor } } }`;

/** Checks every lip-sync after the run and returns the broken promises. */
export async function examineAll(
  clients: readonly Client[],
  at: { product: Product; upstream: Upstream; listsReplyRef: boolean },
): Promise<{ findings: Findings[]; broken: string[] }> {
  const { product, upstream } = at;
  // First, because a repeated request must not cause another POST.
  for (const client of clients) await askAgain(client);
  const listed = await readLipsyncs(await product.address());
  const jobs = await upstream.readJobs();
  await upstream.readJournal();
  const { posts, unread } = upstream.seen();
  const stored = new Map(listed.map((lipsync) => [lipsync.id, lipsync]));
  const findings: Findings[] = [];
  for (const client of clients) findings.push(await examine(client, { stored, jobs, posts }));

  const keys = new Set(findings.flatMap(({ ids }) => ids.map((id) => keyOf('Lipsync', id))));
  const broken = [
    ...findings.flatMap((each) =>
      judge(each, at).map((what) => `${each.key} (${each.ids.join()}): ${what}`),
    ),
    ...listed
      .filter(({ id }) => !keys.has(keyOf('Lipsync', id)))
      .map(({ id }) => `${id}: doubled: a lip-sync without a request`),
    ...jobs
      .filter(({ replyRef }) => !keys.has(replyRef ?? ''))
      .map(({ replyRef }) => `${replyRef}: lost: a job of no lip-sync`),
    ...(unread === 0 ? [] : [`${unread} requests to the upstream went unread`]),
  ];
  return { findings, broken };
}

async function askAgain(client: Client): Promise<void> {
  if (!client.isDone) return;
  const answer = await client.ask().catch((error: unknown) => {
    client.faults.push(`asked again, it broke off: ${error}`);
    return null;
  });
  if (answer?.replayed === false) client.faults.push('asked again, its key was not known');
}

async function examine(
  client: Client,
  seen: {
    stored: ReadonlyMap<string, Stored>;
    jobs: readonly UpstreamJob[];
    posts: readonly (string | null)[];
  },
): Promise<Findings> {
  const { key, request, isDone, faults } = client;
  const [id = ''] = client.ids;
  const lipsync = seen.stored.get(id) ?? null;
  const first = lipsync?.events.nodes[0];
  const replyRef = keyOf('Lipsync', id);
  return {
    key,
    text: request.text,
    ids: [...client.ids],
    isDone,
    faults,
    lipsync: lipsync && { status: lipsync.status, failure: lipsync.failure?.code ?? null },
    events: lipsync?.events.nodes ?? [],
    // The stream of an unfinished lip-sync would not end.
    resumed: isDone && first !== undefined ? await client.resume(id, first.cursor) : client.seen,
    posts: seen.posts.filter((post) => post !== null && post === replyRef).length,
    jobs: seen.jobs.filter((job) => job.replyRef === replyRef),
  };
}

async function readLipsyncs(url: string, after: string | null = null): Promise<Stored[]> {
  const { data, errors } = await createGraphQLClient(url).ask<Page>(listDocument, { after });
  if (data == null) throw new Error(`The lip-syncs were not listed: ${JSON.stringify(errors)}`);
  const { nodes, pageInfo } = data.lipsyncs;
  return pageInfo.hasNextPage
    ? [...nodes, ...(await readLipsyncs(url, pageInfo.endCursor))]
    : nodes;
}
