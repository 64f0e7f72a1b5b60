import { Button, Container, Group, Stack, Text, Title } from '@mantine/core';
import { useInterval } from '@mantine/hooks';
import { useState } from 'react';
import { useQuery } from 'urql';
import classes from '../app.module.css';
import { graphql } from '../session/graphql.ts';
import { Providers } from '../session/providers.tsx';
import { SignIn } from '../session/sign-in.tsx';
import { useViewer } from '../session/viewer.ts';
import { FailureNotice } from '../text/failure-notice.tsx';
import { explainQueryError } from '../text/query-error.ts';
import { Accounts, accountListFragment } from './accounts.tsx';
import { Lipsyncs, type ListFilter } from './lipsyncs.tsx';
import { Queue, queueFragment } from './queue.tsx';
import { Usage, usageFragment } from './usage.tsx';

/** The state of the service, for its operators: a page of its own, which nothing links to. */
export function Operators() {
  return (
    <Providers>
      {({ token, onToken }) => (
        <>
          <header className={classes.header}>
            <Container size="xl" className={classes.bar}>
              <Title order={1} size="h4">
                Lip-sync operators
              </Title>
              {token !== null && (
                <Button variant="subtle" size="compact-sm" onClick={() => onToken(null)}>
                  Sign out
                </Button>
              )}
            </Container>
          </header>
          <Container component="main" size="xl" className={classes.main}>
            <Gate hasToken={token !== null} onToken={onToken} />
          </Container>
        </>
      )}
    </Providers>
  );
}

type GateProps = { hasToken: boolean; onToken: (token: string) => void };

/** Shows the sign-in form to callers without the scope `admin`. */
function Gate({ hasToken, onToken }: GateProps) {
  const [{ data, error, fetching }, refetch] = useViewer();
  const isRejected = error?.graphQLErrors.some(
    ({ extensions }) => extensions.code === 'NOT_AUTHENTICATED',
  );
  if (data?.viewer.scopes.includes('ADMIN')) return <Overview />;
  if (fetching) return <Text role="status">Connecting…</Text>;
  if (data === undefined && isRejected !== true) {
    const retry = () => refetch({ requestPolicy: 'network-only' });
    return (
      <FailureNotice
        notice={explainQueryError(error)}
        steps={{ TRY_AGAIN: { label: 'Try again', act: retry } }}
      />
    );
  }
  return (
    <Stack>
      <Text role="status">This page needs a token with the scope admin.</Text>
      <SignIn isTokenRejected={hasToken && data?.viewer.authenticated !== true} onToken={onToken} />
    </Stack>
  );
}

const overviewQuery = graphql(
  `
    query Overview {
      accounts {
        ... on AccountList { ...AccountList }
        ... on LipsyncError { code message }
      }
      queue { ...Queue }
      usageByOwner(first: 100) { ...Usage }
    }
  `,
  [accountListFragment, queueFragment, usageFragment],
);

/** How often the numbers are read again. */
const refreshMs = 10_000;

function Overview() {
  const [filter, setFilter] = useState<ListFilter>({ owner: '', state: 'UNFINISHED' });
  const [revision, setRevision] = useState(0);
  const [{ data, error }, refetch] = useQuery({
    query: overviewQuery,
    requestPolicy: 'network-only',
  });
  const refresh = () => {
    refetch({ requestPolicy: 'network-only' });
    setRevision((last) => last + 1);
  };
  useInterval(refresh, refreshMs, { autoInvoke: true });
  const selectOwner = (owner: string) => setFilter({ owner, state: 'ALL' });
  return (
    <Stack gap="lg">
      <Group justify="space-between">
        <Text c="dimmed" size="sm">
          Read again every ten seconds
        </Text>
        <Button size="xs" variant="default" onClick={refresh}>
          Refresh
        </Button>
      </Group>
      {error !== undefined && data === undefined && (
        <FailureNotice notice={explainQueryError(error)} />
      )}
      {data?.accounts && <Accounts answer={data.accounts} onChange={refresh} />}
      {data?.queue && <Queue queue={data.queue} onOwner={selectOwner} />}
      <Lipsyncs filter={filter} onFilter={setFilter} revision={revision} onChange={refresh} />
      {data?.usageByOwner && (
        <Usage owners={data.usageByOwner} onOwner={selectOwner} onChange={refresh} />
      )}
    </Stack>
  );
}
