import type { Config } from '../config.ts';
import { getFeatures, listAccounts, type UpstreamAccount } from '../domains/accounts/endpoints.ts';
import { Failure } from '../errors.ts';
import type { Log } from '../log.ts';
import { createUpstream, type Upstream } from '../upstream/client.ts';
import { type AccountState, judgeAccounts, noAccounts } from './check-accounts.ts';
import { checkClock } from './check-clock.ts';
import { error, type Finding, inOrder, skipped } from './finding.ts';
import { request } from './http.ts';

/** The token, the clock, and the accounts with their credits. Reads only, which cost nothing. */
export async function checkUpstream(
  config: Pick<Config, 'upstream'>,
  { log, now }: { log: Log; now: () => Date },
): Promise<Finding[]> {
  const { token, baseUrl, timeoutMs } = config.upstream;
  if (token === null) {
    return [skipped('upstream', 'The sandbox needs no token: no call was made to the service.')];
  }
  const headers = { authorization: `Bearer ${token}` };
  const answer = await request({ url: `${baseUrl}/accounts`, headers, timeoutMs }, now);
  if (answer.kind === 'failed') return [unreachable(answer.reason)];
  const findings = readClock(answer);
  const upstream = createUpstream({ baseUrl, token, timeoutMs, log });
  try {
    const accounts = await listAccounts(upstream);
    findings.push(inOrder('upstream', 'The video service accepts USEAPI_TOKEN.'));
    if (accounts.length === 0) return [...findings, noAccounts()];
    return [...findings, ...judgeAccounts(await readStates(upstream, accounts))];
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    return [...findings, describeFailure(thrown, answer.status)];
  } finally {
    await upstream.close();
  }
}

function readClock(answer: { headers: Headers; before: Date; after: Date }): Finding[] {
  const theirs = new Date(answer.headers.get('date') ?? '');
  if (Number.isNaN(theirs.getTime())) return [];
  const { before, after } = answer;
  return checkClock({ of: 'the video service', theirs, before, after, precisionMs: 1_000 });
}

/** An account of which only the credits cannot be read is judged without them. */
async function readStates(
  upstream: Upstream,
  accounts: readonly UpstreamAccount[],
): Promise<AccountState[]> {
  const states: AccountState[] = [];
  for (const [at, { email, pendingError }] of accounts.entries()) {
    const features = await getFeatures(upstream, email).catch((thrown: unknown) => {
      if (thrown instanceof Failure) return thrown;
      throw thrown;
    });
    const failed = features instanceof Failure;
    states.push({
      name: `${at + 1} of the service's list`,
      hasPendingError: pendingError || (failed && features.code === 'ACCOUNT_PENDING'),
      pausedBy: null,
      credits: failed || !features.isComplete ? null : features.credits,
    });
  }
  return states;
}

function unreachable(reason: string): Finding {
  return error('upstream', 'upstream-unreachable', {
    message: `The video service does not answer (${reason}).`,
    advice: 'Check the network, its DNS and its firewall, and USEAPI_BASE_URL.',
  });
}

function describeFailure({ code }: Failure, status: number): Finding {
  if (code === 'UPSTREAM_UNAUTHORIZED') {
    return error('upstream', 'upstream-token-rejected', {
      message: 'The video service rejects USEAPI_TOKEN (HTTP 401).',
      advice: 'Copy the whole token again, from https://useapi.net/docs/start-here/setup-useapi.',
    });
  }
  if (code === 'SUBSCRIPTION_EXPIRED') {
    return error('upstream', 'upstream-subscription-expired', {
      message: 'The subscription at useapi.net has expired (HTTP 402).',
      advice: 'Renew it. Paused accounts recover at the next read.',
    });
  }
  return error('upstream', 'upstream-failing', {
    message: `The video service cannot be used now: ${code} (HTTP ${status}).`,
    advice:
      'If it stays so, compare USEAPI_BASE_URL with the documentation, and ask useapi.net about an outage.',
  });
}
