import type { Sql } from '../database/connect.ts';
import { readPresent } from '../domains/accounts/store.ts';
import { encodeId } from '../graphql/ids.ts';
import { error, type Finding, inOrder, warning } from './finding.ts';

/** An account, as the database, the running server or the upstream shows it. */
export type AccountState = {
  /** The public id, or the place in the upstream's list. Never the e-mail address. */
  name: string;
  hasPendingError: boolean;
  /** A failure code, or null. */
  pausedBy: string | null;
  /** Null = not known. */
  credits: number | null;
};

export async function readAccountStates(sql: Sql): Promise<AccountState[]> {
  const accounts = await readPresent(sql);
  return accounts.map(({ id, hasPendingError, pausedBy }) => {
    return { name: encodeId('Account', id), hasPendingError, pausedBy, credits: null };
  });
}

const advice: Record<string, string> = {
  UPSTREAM_UNAUTHORIZED: 'Check USEAPI_TOKEN. A read ends the pause once the token is accepted.',
  SUBSCRIPTION_EXPIRED: 'Renew the subscription at useapi.net. A read ends the pause.',
  INSUFFICIENT_CREDITS: 'Buy credits for the account at PixVerse. A read ends the pause.',
  ACCOUNT_PENDING: 'Sign the account in again with reconnectAccount.',
};

/** Every account is a problem of its own: the others may work. */
export function judgeAccounts(accounts: readonly AccountState[]): Finding[] {
  if (accounts.length === 0) return [];
  const findings = accounts.flatMap((account) => judge(account));
  const text = accounts.length === 1 ? 'The account is' : `All ${accounts.length} accounts are`;
  if (findings.length === 0) return [inOrder('accounts', `${text} in order.`)];
  // Nothing can be sent at all.
  const isAnyOpen = findings.length < accounts.length;
  return findings.map((each) => (isAnyOpen ? each : { ...each, severity: 'error' }));
}

function judge({ name, hasPendingError, pausedBy, credits }: AccountState): Finding[] {
  if (hasPendingError || pausedBy === 'ACCOUNT_PENDING') {
    return [
      warning('accounts', 'account-pending-error', {
        message: `Account ${name} has a pending error (596).`,
        advice: advice.ACCOUNT_PENDING ?? '',
      }),
    ];
  }
  if (pausedBy === 'INSUFFICIENT_CREDITS' || (credits !== null && credits <= 0)) {
    return [
      warning('accounts', 'account-without-credits', {
        message: `Account ${name} has no credits left.`,
        advice: advice.INSUFFICIENT_CREDITS ?? '',
      }),
    ];
  }
  if (pausedBy === null) return [];
  return [
    warning('accounts', 'account-paused', {
      message: `Account ${name} is paused by ${pausedBy}.`,
      advice: advice[pausedBy] ?? 'Query `accounts` for details.',
    }),
  ];
}

/** The finding if the video service has no account. */
export function noAccounts(): Finding {
  return error('accounts', 'no-accounts', {
    message: 'The video service has no account configured.',
    advice: 'Add one: https://useapi.net/docs/start-here/setup-pixverse',
  });
}
