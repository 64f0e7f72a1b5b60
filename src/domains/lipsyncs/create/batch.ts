import { Failure, InvalidInputError } from '../../../errors.ts';
import type { Engine } from '../dependencies.ts';
import type { Watch } from '../progress/log-watcher.ts';
import { type CreateRequest, type Creation, check, place } from './create.ts';
import type { CreateInput } from './input.ts';

/** As many as a page has. With all that the client kit asks of each they cost an eighth of what an operation may. */
const mostInputs = 100;

/** Each needs some rows and perhaps a read upstream, and others ask the same database and upstream meanwhile. */
const mostChecks = 8;

/**
 * POSTs under way at a time: three accounts full of them. Nothing else would keep a hundred jobs off-peak, which take no
 * slot, from going out at once.
 */
const mostPosts = 24;

/**
 * Each input as by `createLipsync`: placed in the order in which they are given, and answered by what that would have
 * returned or thrown. An error that is not meant ends it, when the POSTs under way have their answers: whoever asks
 * again with the same keys is told of what was made.
 *
 * @throws InvalidInputError where the list as such is refused, and then nothing was made.
 */
export async function createLipsyncs(
  engine: Engine,
  watch: Watch,
  { inputs, ...asker }: { owner: string; canSeeAll: boolean; inputs: readonly CreateInput[] },
): Promise<(Creation | Failure)[]> {
  checkList(inputs);
  const askedAt = engine.now();
  const requests = inputs.map((input): CreateRequest => ({ ...asker, input, askedAt }));
  const posts = new Set<Promise<unknown>>();
  const answers: Promise<Creation | Failure>[] = [];

  async function answer(checked: Awaited<ReturnType<typeof check>>): Promise<void> {
    if (posts.size >= mostPosts) await Promise.race(posts);
    const placed = await place(engine, watch, checked);
    const told = heard(orFailure(placed.answer()));
    answers.push(told);
    if (!placed.isSent) return;
    const leave = () => posts.delete(over);
    const over: Promise<unknown> = told.then(leave, leave);
    posts.add(over);
  }

  try {
    for await (const checked of ahead(requests, (each) => orFailure(check(engine, each)))) {
      const refusal = checked instanceof Failure ? checked : await orFailure(answer(checked));
      if (refusal instanceof Failure) answers.push(Promise.resolve(refusal));
    }
  } finally {
    await Promise.allSettled(answers);
  }
  return Promise.all(answers);
}

/** Nothing of it may be made: two of the same key in one request would hide which of them is meant. */
function checkList(inputs: readonly CreateInput[]): void {
  if (inputs.length === 0 || inputs.length > mostInputs) {
    const message = `inputs holds 1 to ${mostInputs} lip-syncs.`;
    throw new InvalidInputError([{ path: ['inputs'], message }]);
  }
  const keys = inputs.map(({ idempotencyKey }) => idempotencyKey);
  const issues = keys.flatMap((key, at) => {
    const first = keys.indexOf(key);
    if (key === null || first === at) return [];
    const message = `inputs[${first}] has the same idempotencyKey.`;
    return [{ path: ['inputs', `${at}`, 'idempotencyKey'], message }];
  });
  if (issues.length > 0) throw new InvalidInputError(issues);
}

/** Begins with the next ones while the first is waited for: in order, and not too many at a time. */
async function* ahead<T, R>(
  items: readonly T[],
  begin: (item: T) => Promise<R>,
): AsyncGenerator<R, void> {
  const begun: Promise<R>[] = [];
  for (const at of items.keys()) {
    for (const item of items.slice(begun.length, at + mostChecks)) begun.push(heard(begin(item)));
    const result = begun[at];
    if (result !== undefined) yield result;
  }
}

/** What was thrown on purpose, as a value. */
async function orFailure<T>(work: Promise<T>): Promise<T | Failure> {
  try {
    return await work;
  } catch (thrown) {
    if (thrown instanceof Failure) return thrown;
    throw thrown;
  }
}

/** Nobody may be waiting yet when it fails, and Node would end the process over that. */
function heard<T>(work: Promise<T>): Promise<T> {
  work.catch(() => undefined);
  return work;
}
