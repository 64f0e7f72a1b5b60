import type { ServerResponse } from 'node:http';
import { OperationTypeNode } from 'graphql';
import { QuotaExceededError } from '../errors.ts';
import { OwnerSlots } from '../owner-slots.ts';
import type { PreparedOperation } from './operation/prepared-operation.ts';
import type { Run, RunInput, RunResult } from './operation/run.ts';

/** Queries and mutations of all owners that this process executes, or whose answers are not read yet. */
const maxOperations = 4_000;

/**
 * An unread answer takes one more slot for each of these bytes: all unread answers have at most 250 MB. A smaller answer fits,
 * or almost fits, into the buffers of the operating system.
 */
const bytesOfSlot = 65_536;

/** An arbitrary wait: it is unknown when one of the operations ends. */
const retryAfterSeconds = 1;

export type OperationSlot = {
  release(): void;
  /**
   * Releases the slot once the response is sent. If the response is written and the owner has no slots for the bytes that the
   * client has not read, the connection ends: an executed operation can't be rejected, and its answer must not stay in memory.
   */
  releaseAfter(response: ServerResponse | undefined): void;
};

export class OperationSlots {
  readonly #slots: OwnerSlots;

  constructor(max = maxOperations) {
    this.#slots = new OwnerSlots({ all: max });
  }

  /** @throws QuotaExceededError */
  acquire(owner: string): OperationSlot {
    const release = this.#slots.acquire(owner);
    if (release === null) throw new QuotaExceededError('operations in progress', retryAfterSeconds);
    return {
      release,
      releaseAfter: (response) => {
        if (response === undefined) return release();
        releaseOnClose(response, release);
        const unread = Math.floor(response.writableLength / bytesOfSlot);
        if (unread === 0 || response.closed) return;
        const releaseAnswer = this.#slots.acquire(owner, unread);
        if (releaseAnswer === null) response.destroy();
        else releaseOnClose(response, releaseAnswer);
      },
    };
  }
}

function releaseOnClose(response: ServerResponse, release: () => void): void {
  if (response.closed) release();
  else response.on('close', release);
}

/**
 * Runs an operation in a slot of its caller, which is released with the answer. Subscriptions take none: those that are open
 * are counted elsewhere.
 *
 * @throws QuotaExceededError
 */
export async function runInSlot(
  { run, slots }: { run: Run; slots: OperationSlots },
  prepared: PreparedOperation,
  { response, ...input }: RunInput & { response?: ServerResponse | undefined },
): Promise<RunResult> {
  if (prepared.operation.operation === OperationTypeNode.SUBSCRIPTION) return run(prepared, input);
  const slot = slots.acquire(input.context.caller.owner);
  try {
    return await run(prepared, input);
  } finally {
    slot.releaseAfter(response);
  }
}
