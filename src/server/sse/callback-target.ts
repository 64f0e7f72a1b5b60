import { z } from 'zod';
import type { WebhookService } from '../../domains/webhooks/service.ts';
import { NotAuthenticatedError } from '../../errors.ts';
import { isAdmitted } from '../../graphql/access.ts';
import type { Caller } from '../../graphql/context.ts';
import { toGraphQLError } from '../../graphql/errors.ts';
import { requestError } from '../operation/request-error.ts';

/** The shortest interval of heartbeats that a router can ask for. Each heartbeat costs this server a request. */
const minIntervalMs = 1_000;

/**
 * `extensions.subscription`. The default of the heartbeat is that of the protocol's first version, and of Apollo Router. An
 * interval below `minIntervalMs` is rejected: a router that gets fewer heartbeats than it asks for would give up later.
 */
const targetShape = z.object({
  callbackUrl: z.string(),
  subscriptionId: z.string().min(1).max(256),
  verifier: z.string().max(1024),
  /** 0: no heartbeats. */
  heartbeatIntervalMs: z
    .union([z.literal(0), z.int().min(minIntervalMs).max(3_600_000)])
    .default(5_000),
});

export type Target = z.output<typeof targetShape>;

/** Only known callers can make this server send requests: otherwise anyone could make it POST to any URL. */
export function checkTarget(
  webhooks: Pick<WebhookService, 'checkUrl'>,
  target: unknown,
  caller: Caller,
) {
  if (!isAdmitted(caller)) {
    return { data: null, error: toGraphQLError(new NotAuthenticatedError()) };
  }
  const { data } = targetShape.safeParse(target);
  if (data === undefined) {
    const message = `extensions.subscription does not follow the callback protocol 1.0, or its heartbeatIntervalMs is neither 0 nor at least ${minIntervalMs}.`;
    return { data: null, error: requestError('BAD_REQUEST', message) };
  }
  const problem = webhooks.checkUrl(data.callbackUrl);
  return problem === null
    ? { data, error: null }
    : { data: null, error: requestError('CALLBACK_REFUSED', problem.message) };
}
