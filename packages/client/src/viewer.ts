import { viewerDocument } from './documents.ts';
import { LipsyncRequestError } from './errors.ts';
import { executeField } from './execute.ts';
import type { ViewerQuery } from './operations.ts';
import type { FieldFailure } from './result.ts';
import type { LipsyncServer } from './server.ts';

/** By `__typename`. */
export type ViewerAnswer = ViewerQuery['answer'] | FieldFailure;

/**
 * The caller as the server sees it: its name, its scopes, and what is left of its limits. It answers callers without a
 * valid token too.
 *
 * @throws LipsyncConnectionError, LipsyncServerError, LipsyncRequestError, or the signal's reason
 */
export async function viewer(
  server: LipsyncServer,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<ViewerAnswer> {
  const answer = await executeField(server, { document: viewerDocument, variables: {}, signal });
  if (answer === null) throw new LipsyncRequestError('The server answered nothing.');
  return answer;
}
