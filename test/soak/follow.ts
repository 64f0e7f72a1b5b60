import { readParts } from '../support/transports.ts';
import { isReset, retryOnReset } from './create.ts';
import type { Plan } from './plans.ts';
import type { Server } from './server.ts';

/** The end of a lip-sync as its client saw it. */
export type End = { status: string; code: string | null };

export type Followed = {
  /** By lip-sync. */
  ends: Map<string, End>;
  resumes: number;
  /** Broken promises. */
  broken: string[];
};

type Progress = {
  cursor: string;
  sequence: number;
  status: string;
  isFinal: boolean;
  failure: { code: string } | null;
  lipsync: { id: string };
};

/** Seconds that an agent waits at a time: it calls again. */
const agentWaitSeconds = 1;

/** Every event once and in order over all connections, and the last of them terminal. A batch is one stream. */
export async function follow(
  server: Server,
  plan: Plan,
  ids: readonly string[],
): Promise<Followed> {
  const followed: Followed = { ends: new Map(), resumes: 0, broken: [] };
  if (plan.entry === 'agent') {
    for (const id of ids) await waitAsAgent(server, followed, id);
    return followed;
  }
  const log = { last: new Map<string, number>(), after: undefined };
  while (followed.ends.size < ids.length) {
    // A connection that could not be made is one more cut.
    await followOnce(server, plan, { ids, followed, log }).catch((error: unknown) => {
      if (!isReset(error)) throw error;
    });
    if (followed.ends.size < ids.length) followed.resumes += 1;
  }
  return followed;
}

type Following = {
  ids: readonly string[];
  followed: Followed;
  /** Where the stream continues, and the last event of each lip-sync. */
  log: { after: string | undefined; last: Map<string, number> };
};

/** Over one connection, until it ends or the plan cuts it. */
async function followOnce(server: Server, plan: Plan, following: Following): Promise<void> {
  const { ids, followed, log } = following;
  let seen = 0;
  for await (const progress of open(server, plan, { ids, after: log.after })) {
    takeEvent(following, progress);
    seen += 1;
    const isCut = plan.cutAfter > 0 && seen >= plan.cutAfter;
    if (isCut && followed.ends.size < ids.length) return;
  }
}

function takeEvent({ followed, log }: Following, progress: Progress): void {
  const { cursor, sequence, isFinal } = progress;
  const { id } = progress.lipsync;
  const before = log.last.get(id) ?? 0;
  if (before > 0 && sequence !== before + 1) {
    followed.broken.push(`gap: ${sequence} after ${before} of ${id}`);
  }
  log.last.set(id, sequence);
  log.after = cursor;
  if (isFinal) takeEnd(followed, id, progress);
}

/** A lip-sync whose outcome was unknown can end once more. */
function takeEnd(
  { ends, broken }: Followed,
  id: string,
  { status, failure }: Pick<Progress, 'status' | 'failure'>,
): void {
  const first = ends.get(id);
  if (first !== undefined && first.code !== 'OUTCOME_UNKNOWN') {
    broken.push(`${id} ended as ${first.status} and then as ${status}`);
  }
  ends.set(id, { status, code: failure?.code ?? null });
}

async function waitAsAgent({ agent }: Server, followed: Followed, id: string): Promise<void> {
  type Answer = {
    finished: boolean;
    lipsync: { status: string; failure: { code: string } | null };
  };
  for (;;) {
    const input = { id, maxSeconds: agentWaitSeconds };
    const call = () => agent.call('wait_for_lipsync', input);
    const { content, isError } = await retryOnReset(call);
    if (isError) throw new Error(`The agent got ${JSON.stringify(content)}`);
    const { finished, lipsync } = content as Answer;
    if (finished) return takeEnd(followed, id, lipsync);
    followed.resumes += 1;
  }
}

const fields = `... on LipsyncProgress { cursor sequence status isFinal failure { code } lipsync { id } }
  ... on LipsyncError { code message }`;

const single = `subscription ($id: ID!, $after: String) { progress: lipsyncProgress(id: $id, after: $after) { ${fields} } }`;
const list = `subscription ($ids: [ID!]!, $after: String) { progress: lipsyncsProgress(ids: $ids, after: $after) { ${fields} } }`;

type Data = { progress: Progress | { code: string; message: string } };

async function* open(
  server: Server,
  plan: Plan,
  { ids, after }: { ids: readonly string[]; after: string | undefined },
): AsyncGenerator<Progress> {
  const [id] = ids;
  const isSingle = ids.length === 1;
  const variables = { ...(isSingle ? { id } : { ids }), after };
  const operation = { query: isSingle ? single : list, variables };
  for await (const { data, errors } of openStream(server, plan, operation)) {
    if (data == null || 'code' in data.progress) {
      throw new Error(`The stream has ${JSON.stringify(data ?? errors)}`);
    }
    yield data.progress;
  }
}

type Result = { data?: Data | null; errors?: unknown };

async function* openStream(
  { client, url }: Server,
  { transport }: Plan,
  operation: { query: string; variables: Record<string, unknown> },
): AsyncGenerator<Result> {
  const { query, variables } = operation;
  if (transport === 'websocket') yield* client.watchWs<Data>(query, variables);
  else if (transport === 'multipart') yield* openParts(url, operation);
  else for await (const { data } of client.watchSse<Data>(query, variables)) yield data;
}

async function* openParts(url: string, operation: object): AsyncGenerator<Result> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: {
      accept: 'multipart/mixed;subscriptionSpec=1.0',
      'content-type': 'application/json',
    },
    body: JSON.stringify(operation),
  });
  const { body } = response;
  if (body === null) throw new Error(`The multipart stream was answered ${response.status}.`);
  for await (const { payload } of readParts(body)) {
    if (payload != null) yield payload as Result;
  }
}
