import { Badge, Button, PasswordInput, Text } from '@mantine/core';
import { useState } from 'react';
import { graphql, type ResultOf } from '../session/graphql.ts';
import { describeTime } from '../text/time.ts';
import { ActionDialog } from './action-dialog.tsx';
import { Section, Table } from './section.tsx';

export const accountListFragment = graphql(`
  fragment AccountList on AccountList {
    nodes {
      id email maxJobs inFlight externalJobCount waitingCount credits isPaused pausedBy cooldownUntil hasPendingError
    }
  }
`);

const reconnectMutation = graphql(`
  mutation Reconnect($account: ID!, $password: String!) {
    answer: reconnectAccount(input: { accountId: $account, password: $password }) {
      __typename
      ... on InvalidInputError { issues { message } }
      ... on LipsyncError { message }
    }
  }
`);

type Account = ResultOf<typeof accountListFragment>['nodes'][number];

type Props = {
  answer: { nodes: Account[] } | { code: string; message: string };
  onChange: () => void;
};

export function Accounts({ answer, onChange }: Props) {
  const [reconnected, setReconnected] = useState<Account | null>(null);
  const [password, setPassword] = useState('');
  return (
    <Section id="accounts" title="Accounts">
      {'code' in answer ? (
        <Text role="alert">
          {answer.code}: {answer.message}
        </Text>
      ) : (
        <Table
          labelledBy="accounts"
          columns={['Account', 'State', 'Jobs', 'Elsewhere', 'Waiting', 'Credits', 'Action']}
          empty="The video service lists no account."
          rows={answer.nodes.map((account) => (
            <tr key={account.id}>
              <td>{account.email}</td>
              <td>
                <State account={account} />
              </td>
              <td>
                {account.inFlight} of {account.maxJobs ?? '?'}
              </td>
              <td>{account.externalJobCount}</td>
              <td>{account.waitingCount}</td>
              <td>{account.credits ?? 'unknown'}</td>
              <td>
                <Button
                  size="compact-sm"
                  variant="default"
                  aria-label={`Reconnect ${account.email}`}
                  onClick={() => setReconnected(account)}
                >
                  Reconnect
                </Button>
              </td>
            </tr>
          ))}
        />
      )}
      <ActionDialog
        title={`Reconnect ${reconnected?.email ?? ''}`}
        label="Sign in"
        isOpen={reconnected !== null}
        mutation={reconnectMutation}
        variables={{ account: reconnected?.id ?? '', password }}
        onClose={() => {
          setReconnected(null);
          setPassword('');
        }}
        onDone={onChange}
      >
        <Text size="sm">
          Signs the account in again at the provider, which ends its pending error.
        </Text>
        <PasswordInput
          label="Password of the account"
          description="It is passed on, and neither stored nor logged."
          autoComplete="off"
          value={password}
          onChange={({ currentTarget }) => setPassword(currentTarget.value)}
          visibilityToggleButtonProps={{ 'aria-label': 'Show password' }}
        />
      </ActionDialog>
    </Section>
  );
}

/** What ends each pause. */
const adviceByCode: Record<string, string> = {
  ACCOUNT_PENDING: 'Reconnect it with its password.',
  INSUFFICIENT_CREDITS: 'Buy credits at the provider.',
  SUBSCRIPTION_EXPIRED: 'Renew the subscription at the video service.',
  UPSTREAM_UNAUTHORIZED: 'Set a valid USEAPI_TOKEN and restart.',
};

function State({ account }: { account: Account }) {
  const { isPaused, pausedBy, hasPendingError, cooldownUntil } = account;
  if (isPaused || hasPendingError) {
    const code = pausedBy ?? 'ACCOUNT_PENDING';
    return (
      <>
        <Badge color="red.9">{isPaused ? 'Paused' : 'Pending error'}</Badge>
        <Text size="sm">
          {code}. {adviceByCode[code]}
        </Text>
      </>
    );
  }
  if (cooldownUntil !== null && new Date(cooldownUntil) > new Date()) {
    return <Text size="sm">Busy: left alone until {describeTime(cooldownUntil)}</Text>;
  }
  return <Text size="sm">Open</Text>;
}
