import pLimit from 'p-limit';
import { Failure, InvalidInputError } from '../../../errors.ts';
import {
  type CheckedRequest,
  type CreateRequest,
  type Creation,
  checkRequest,
  sendOrEnqueue,
} from './create.ts';
import type { CreateDependencies } from './dependencies.ts';
import type { CreateInput } from './input.ts';
import type { SharedImports } from './resolve-file.ts';

/** As on the largest page. With all fields that the client kit selects, 100 inputs cost an eighth of an operation's limit. */
const maxInputs = 100;

/** Each check can read the upstream, which other requests use at the same time. */
const maxConcurrentChecks = 8;

/**
 * The number of slots of three accounts. Without this limit a hundred off-peak jobs, which take no slot, would be sent at
 * once.
 */
const maxConcurrentPosts = 24;

/**
 * Processes the inputs in order, each as `createLipsync` does, and returns for each what `createLipsync` would return or
 * throw. An unexpected error ends the batch once the POSTs under way are answered; repeating the request with the same
 * idempotency keys returns the lip-syncs that were created.
 *
 * @throws InvalidInputError if the list itself is invalid; then nothing is created
 */
export async function createLipsyncs(
  deps: CreateDependencies,
  {
    inputs,
    ...caller
  }: Omit<CreateRequest, 'input' | 'receivedAt' | 'lastRejection'> & {
    inputs: readonly CreateInput[];
  },
): Promise<(Creation | Failure)[]> {
  checkList(inputs);
  const receivedAt = deps.now();
  const sharedImports: SharedImports = new Map();
  const requests = inputs.map(
    (input): CreateRequest => ({ ...caller, input, receivedAt, sharedImports }),
  );
  const limitChecks = pLimit(maxConcurrentChecks);
  const posts = new Set<Promise<unknown>>();
  const answers: Promise<Creation | Failure>[] = [];

  const check = (request: CreateRequest) =>
    limitChecks(() => catchFailure(checkRequest(deps, request)));

  /** Resolves when the request is admitted. The answer may come later. */
  async function start(checked: CheckedRequest | Failure, at: number): Promise<void> {
    const pending =
      checked instanceof Failure ? checked : await catchFailure(sendOrEnqueue(deps, checked));
    if (pending instanceof Failure) {
      answers[at] = Promise.resolve(pending);
      return;
    }
    const answer = markHandled(catchFailure(pending.answer()));
    answers[at] = answer;
    if (!pending.isSent) return;
    const remove = () => posts.delete(post);
    const post: Promise<unknown> = answer.then(remove, remove);
    posts.add(post);
  }

  try {
    for (let done = 0; done < requests.length; ) {
      while (posts.size >= maxConcurrentPosts) await Promise.race(posts);
      // Checked and admitted together. Each of them may be sent.
      const chunk = requests.slice(done, done + maxConcurrentPosts - posts.size);
      const checked = await Promise.all(chunk.map(check));
      const starts = checked.map((each, at) => start(each, done + at));
      for (const { reason } of await rejected(starts)) throw reason;
      done += chunk.length;
    }
  } finally {
    await Promise.allSettled(answers);
  }
  return Promise.all(answers);
}

async function rejected(work: readonly Promise<unknown>[]): Promise<PromiseRejectedResult[]> {
  const results = await Promise.allSettled(work);
  return results.filter((result) => result.status === 'rejected');
}

/** Two inputs with the same key reject the whole list, because it is unclear which of them is meant. */
function checkList(inputs: readonly CreateInput[]): void {
  if (inputs.length === 0 || inputs.length > maxInputs) {
    const message = `items must have 1 to ${maxInputs} lip-syncs.`;
    const code = inputs.length === 0 ? 'REQUIRED' : 'TOO_LONG';
    throw new InvalidInputError([{ path: ['input', 'items'], message, code }]);
  }
  const keys = inputs.map(({ idempotencyKey }) => idempotencyKey);
  const issues = keys.flatMap((key, at) => {
    const first = keys.indexOf(key);
    if (key === null || first === at) return [];
    const message = `items[${first}] has the same idempotencyKey.`;
    const path = ['input', 'items', `${at}`, 'idempotencyKey'];
    return [{ path, message, code: 'DUPLICATE' as const }];
  });
  if (issues.length > 0) throw new InvalidInputError(issues);
}

/** Returns a thrown failure as a value. Unexpected errors are thrown on. */
async function catchFailure<T>(work: Promise<T>): Promise<T | Failure> {
  try {
    return await work;
  } catch (thrown) {
    if (thrown instanceof Failure) return thrown;
    throw thrown;
  }
}

/** For a promise that is awaited later: Node would end the process if it rejected before. */
function markHandled<T>(work: Promise<T>): Promise<T> {
  work.catch(() => undefined);
  return work;
}
