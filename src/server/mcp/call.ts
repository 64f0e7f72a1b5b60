import type { ServerResponse } from 'node:http';
import type { ExecutionResult } from 'graphql';
import { NotFoundError } from '../../errors.ts';
import type { Context } from '../../graphql/context.ts';
import type { Log } from '../../log.ts';
import { maskError } from '../operation/masking.ts';
import type { Pipeline } from '../operation/pipeline.ts';
import { isRejected } from '../operation/prepare.ts';
import type { RunResult } from '../operation/run.ts';
import { runInSlot } from '../operation-slots.ts';
import { failed, failureOfError, type ToolFailure, type ToolResult } from './result.ts';

/** What a field of the schema returned. */
export type Answer = Record<string, unknown>;

/** The pipeline of all transports. The tools' documents are this server's own and need not be in `TRUSTED_DOCUMENTS`. */
export type ToolPipeline = Pick<Pipeline, 'prepareOwn' | 'run' | 'slots'>;

type Parts = {
  pipeline: ToolPipeline;
  context: Context;
  response: ServerResponse;
};

/** The call of a tool: it executes documents in the pipeline of all transports, with the rights of its caller. */
export class ToolCall {
  readonly context: Context;
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.context = parts.context;
    this.#parts = parts;
  }

  /**
   * The answer of a query or mutation.
   *
   * @throws GraphQLError, NotFoundError, or ToolError with a member of the field's union
   */
  async execute(document: string, variables: Answer): Promise<Answer> {
    return answerOf((await this.run(document, variables)) as ExecutionResult);
  }

  /** @throws GraphQLError if the document is rejected */
  run(document: string, variables: Answer): Promise<RunResult> {
    const { pipeline, context, response } = this.#parts;
    const prepared = pipeline.prepareOwn(document);
    if (isRejected(prepared)) throw prepared.errors[0];
    return runInSlot(pipeline, prepared, { variables, context, response });
  }
}

/** The result of a failure that was thrown. A defect is masked and logged. */
export function failureOf(thrown: unknown, log: Log, origin: Origin): ToolResult {
  if (thrown instanceof ToolError) return failed(thrown.failure);
  return failed(failureOfError(maskError(thrown, log, origin)));
}

type Origin = { requestId: string; caller?: Context['caller'] };

/** A failure that the schema describes. */
export class ToolError extends Error {
  readonly failure: ToolFailure;

  constructor(failure: ToolFailure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** @throws GraphQLError, ToolError, NotFoundError */
export function answerOf({ data, errors = [] }: ExecutionResult): Answer {
  const [error] = errors;
  if (error !== undefined) throw error;
  const answer = data?.answer as Answer | null | undefined;
  if (answer === null || answer === undefined) throw new NotFoundError('The lip-sync');
  if (!isFailure(answer)) return answer;
  const { __typename: _, ...failure } = answer;
  throw new ToolError(failure);
}

function isFailure(answer: Answer): answer is ToolFailure {
  return 'code' in answer && 'retryable' in answer;
}
