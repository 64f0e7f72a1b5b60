import type { JobState, Outcome, ScriptedUpstream } from './scripted-upstream.ts';

/*
 * What should become of lip-syncs, said a second time and plainly: no SQL, no network, no concurrency. It reads of the
 * upstream only what is true there.
 */

export const maxJobMs = 7_200_000;
export const leaseMs = 70_000;

export type Status =
  | 'QUEUED'
  | 'SUBMITTING'
  | 'SUBMITTED'
  | 'GENERATING'
  | 'COMPLETED'
  | 'FAILED'
  | 'MODERATED'
  | 'CANCELLED'
  | 'EXPIRED';

/** Nobody answers any more for what a dead one had begun. */
export type Instance = { isAlive: boolean; isCurrent: boolean };

type Claim = {
  by: Instance;
  isPosting: boolean;
  leaseUntil: number;
  /** Where the POST is `createLipsync`'s own: what a refusal then is, and whether it may wait instead. */
  answers: { mayWait: boolean } | null;
};

export type Story = {
  id: string;
  owner: string;
  status: Status;
  /** Only of FAILED. */
  isOutcomeUnknown: boolean;
  expiresAt: number | null;
  /** While SUBMITTING without a known outcome: who sends it, and whether it has begun to. */
  claim: Claim | null;
  /** Who has sent its POST, and is told the answer however late that comes. */
  sender: Instance | null;
  isLost: boolean;
  isAttached: boolean;
  hints: 'none' | 'rubbish' | 'its own';
  isCancelWanted: boolean;
  /** Who waits for the answer of the POST to cancel it. */
  cancelledBy: Instance | null;
  /** Since when we know of it upstream, or have begun to send it. */
  since: number;
};

export type Model = {
  stories: Map<string, Story>;
  now: number;
  upstream: ScriptedUpstream;
  instance: Instance;
};

const followers: Record<Status, string> = {
  QUEUED: 'SUBMITTING CANCELLED EXPIRED',
  SUBMITTING: 'QUEUED SUBMITTED FAILED MODERATED CANCELLED',
  SUBMITTED: 'GENERATING COMPLETED FAILED MODERATED CANCELLED',
  GENERATING: 'COMPLETED FAILED MODERATED CANCELLED',
  COMPLETED: '',
  FAILED: '',
  MODERATED: '',
  CANCELLED: '',
  EXPIRED: '',
};

export const mayFollow = (from: Status, to: Status) => followers[from].split(' ').includes(to);
export const isEnd = (status: Status) => followers[status] === '';

/** What a look may tell more of. */
export function isOpen({ status, isLost }: Story): boolean {
  return status === 'SUBMITTED' || status === 'GENERATING' || (status === 'SUBMITTING' && isLost);
}

export function newStory(id: string, owner: string, expiresAt: number | null): Story {
  return {
    id,
    owner,
    status: 'QUEUED',
    isOutcomeUnknown: false,
    expiresAt,
    claim: null,
    sender: null,
    isLost: false,
    isAttached: false,
    hints: 'none',
    isCancelWanted: false,
    cancelledBy: null,
    since: 0,
  };
}

/** Whether anything upstream says that this job is this lip-sync's. */
function isFindable(model: Model, { id, hints }: Story): boolean {
  const job = model.upstream.jobs.get(id);
  if (job === undefined) return false;
  const isListed = job.isTracked && (job.state === 'QUEUED' || job.state === 'GENERATING');
  return (
    (model.upstream.showsRefsInScheduler && isListed) ||
    model.upstream.showsRefsInLists ||
    hints === 'its own'
  );
}

const seenAs: Record<JobState, Status> = {
  QUEUED: 'SUBMITTED',
  GENERATING: 'GENERATING',
  COMPLETED: 'COMPLETED',
  FAILED: 'FAILED',
  MODERATED: 'MODERATED',
};

/** Somebody looked for it upstream. */
export function look(model: Model, story: Story): void {
  const isLate = story.status === 'FAILED' && story.isOutcomeUnknown;
  const job = model.upstream.jobs.get(story.id);
  if ((!isOpen(story) && !isLate) || job === undefined) return;
  if (!(story.isAttached || isFindable(model, story))) return;
  if (isOpen(story) && !story.isAttached) accept(model, story);
  story.isAttached = true;
  const seen = seenAs[job.state];
  if (isLate ? isEnd(seen) : mayFollow(story.status, seen)) {
    story.status = seen;
    story.isOutcomeUnknown = false;
  }
}

export function lookAtAll(model: Model): void {
  for (const story of model.stories.values()) if (isOpen(story)) look(model, story);
}

function accept(model: Model, story: Story): void {
  story.isAttached = true;
  story.isLost = false;
  story.claim = null;
  story.since = model.now;
  story.status = story.isCancelWanted ? 'CANCELLED' : 'SUBMITTED';
}

function putBack(story: Story): void {
  story.status = story.isCancelWanted ? 'CANCELLED' : 'QUEUED';
  story.claim = null;
  story.isLost = false;
  story.hints = 'none';
}

/** This instance claimed it, and has begun its POST or died before. */
export function claim(model: Model, story: Story, how: Pick<Claim, 'isPosting' | 'answers'>): void {
  story.status = 'SUBMITTING';
  story.since = model.now;
  story.claim = { by: model.instance, leaseUntil: model.now + leaseMs, ...how };
  if (how.isPosting) story.sender = model.instance;
}

/** A callback came, which may name a video: while we don't know ours that is remembered. */
export function callBack(model: Model, story: Story, hint: Story['hints']): void {
  const isSent = story.status === 'SUBMITTING' && (story.isLost || story.claim?.isPosting === true);
  if (!story.isAttached && (isSent || story.isOutcomeUnknown)) {
    if (hint !== 'none' && story.hints !== 'its own') story.hints = hint;
  }
  look(model, story);
}

/** A POST was answered, or came to nothing. */
export function settle(model: Model, story: Story, outcome: Outcome): void {
  if (story.status !== 'SUBMITTING' || outcome.endsWith('hung')) return;
  if (outcome === 'accepted') {
    accept(model, story);
    if (story.hints !== 'none') look(model, story);
  } else if (/^4/.test(outcome)) refuse(model, story, outcome);
  else lose(model, story);
}

/** It waits, ends, or is what `createLipsync` answers, and then it leaves nothing. */
function refuse(model: Model, story: Story, outcome: Outcome): void {
  const answers = story.claim?.answers ?? null;
  const isBusy = outcome === '429';
  if (answers !== null && !(isBusy && answers.mayWait)) model.stories.delete(story.id);
  else if (isBusy) putBack(story);
  else story.status = outcome === '422' ? 'MODERATED' : 'FAILED';
}

/** Nobody knows whether there is a job: it is looked for at once. */
function lose(model: Model, story: Story): void {
  story.claim = null;
  story.isLost = true;
  if (story.cancelledBy?.isAlive === true) story.status = 'CANCELLED';
  look(model, story);
}

/** What has waited for too long, what belongs to nobody, and what nobody has heard of. */
export function tick(model: Model, areLeasesVoid = false): void {
  for (const story of model.stories.values()) {
    const { claim, expiresAt } = story;
    if (story.status === 'QUEUED' && expiresAt !== null && expiresAt <= model.now) {
      story.status = 'EXPIRED';
    }
    const isOrphan = claim !== null && claim.by !== model.instance;
    if (isOrphan && (areLeasesVoid || claim.leaseUntil <= model.now)) takeOver(model, story);
  }
  const overdue = () =>
    [...model.stories.values()].filter(
      (story) => isOpen(story) && story.since <= model.now - maxJobMs,
    );
  if (overdue().length > 0) lookAtAll(model);
  for (const story of overdue()) {
    story.isOutcomeUnknown = story.status === 'SUBMITTING';
    story.status = 'FAILED';
  }
}

function takeOver(model: Model, story: Story): void {
  if (story.claim?.isPosting === true) lose(model, story);
  else putBack(story);
}

export function cancel(model: Model, story: Story): void {
  if (isEnd(story.status)) return;
  if (story.claim === null) {
    story.status = 'CANCELLED';
    return;
  }
  story.isCancelWanted = true;
  story.cancelledBy = model.instance;
}
