import { askForData, createLipsyncs } from './create.ts';
import { type End, type Followed, follow } from './follow.ts';
import type { Plan } from './plans.ts';
import type { Server } from './server.ts';

/** What a client saw of one lip-sync. */
export type Ended = {
  plan: Plan;
  /** Null: refused by a typed error, so that no lip-sync exists. */
  id: string | null;
  /** Null: it was refused. */
  end: End | null;
  /** The code of the error that refused it. */
  refusedWith: string | null;
  isDeleted: boolean;
};

export type Run = { ended: Ended[]; resumes: number; broken: string[] };

/** Requests the lip-syncs of a plan, follows them to their ends, and carries out the rest of the plan. */
export async function runPlan(server: Server, plan: Plan, number: number): Promise<Run> {
  const created = await createLipsyncs(server, plan, number);
  const ids = created.flatMap((each) => ('id' in each ? each.id : []));
  // A cancellation meets the lip-sync in any state: its client does not wait for one.
  const [followed] = await Promise.all([
    ids.length === 0 ? nothing : follow(server, plan, ids),
    plan.isCancelled ? Promise.all(ids.map((id) => cancel(server, plan, id))) : [],
  ]);
  if (plan.isDeleted) for (const id of ids) await deleteLipsync(server, id);
  const { ends, resumes, broken } = followed;
  const ended = created.map((each): Ended => {
    const base = { plan, isDeleted: plan.isDeleted };
    if ('code' in each) return { ...base, id: null, end: null, refusedWith: each.code };
    return { ...base, id: each.id, end: ends.get(each.id) ?? null, refusedWith: null };
  });
  return { ended, resumes, broken };
}

const nothing: Followed = { ends: new Map(), resumes: 0, broken: [] };

async function cancel(server: Server, plan: Plan, id: string): Promise<void> {
  if (plan.entry === 'agent') {
    const { isError, content } = await server.agent.call('cancel_lipsync', { id });
    if (isError) throw new Error(`The agent got ${JSON.stringify(content)}`);
    return;
  }
  const mutation = `mutation ($id: ID!) { cancelLipsync(input: { id: $id }) {
    ... on CancelOutcome { lipsync { id } } ... on LipsyncError { code message } } }`;
  const { cancelLipsync } = await askForData<{ cancelLipsync: { lipsync?: object } }>(
    server,
    mutation,
    { id },
  );
  if (cancelLipsync.lipsync === undefined) {
    throw new Error(`The cancellation was answered ${JSON.stringify(cancelLipsync)}`);
  }
}

async function deleteLipsync(server: Server, id: string): Promise<void> {
  const mutation = `mutation ($id: ID!) { deleteLipsync(input: { id: $id }) {
    ... on DeleteLipsyncSuccess { deletedLipsyncId } ... on LipsyncError { code message } } }`;
  const { deleteLipsync: answer } = await askForData<{
    deleteLipsync: { deletedLipsyncId?: string };
  }>(server, mutation, { id });
  if (answer.deletedLipsyncId !== id) {
    throw new Error(`The deletion was answered ${JSON.stringify(answer)}`);
  }
}
