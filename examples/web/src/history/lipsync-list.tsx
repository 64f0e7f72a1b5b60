import { Paper, SegmentedControl, Skeleton, Stack, Text, TextInput, Title } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import type { LipsyncStatus } from 'lipsync-graphql-client';
import { type ReactNode, useEffect, useEffectEvent, useState } from 'react';
import { type CombinedError, useQuery } from 'urql';
import { graphql, type ResultOf } from '../session/graphql.ts';
import { FailureNotice } from '../text/failure-notice.tsx';
import { explainQueryError } from '../text/query-error.ts';
import { LipsyncRow, lipsyncRowFragment } from './lipsync-row.tsx';
import { Pager } from './pager.tsx';
import { usePages } from './use-pages.ts';

const lipsyncsQuery = graphql(
  `
    query Lipsyncs($after: String, $filter: LipsyncFilter) {
      lipsyncs(first: 5, after: $after, filter: $filter) {
        nodes { ...LipsyncRow }
        pageInfo { hasNextPage endCursor }
      }
    }
  `,
  [lipsyncRowFragment],
);

type StatusFilter = 'ALL' | 'RUNNING' | 'READY' | 'NO_VIDEO';

const filters: { value: StatusFilter; label: string }[] = [
  { value: 'ALL', label: 'All' },
  { value: 'RUNNING', label: 'In progress' },
  { value: 'READY', label: 'Ready' },
  { value: 'NO_VIDEO', label: 'No video' },
];

const statusesOf: Record<StatusFilter, readonly LipsyncStatus[] | null> = {
  ALL: null,
  RUNNING: ['QUEUED', 'SUBMITTING', 'SUBMITTED', 'GENERATING'],
  READY: ['COMPLETED'],
  NO_VIDEO: ['FAILED', 'MODERATED', 'CANCELLED', 'EXPIRED'],
};

type Props = {
  openedId: string | null;
  onOpen: (id: string) => void;
  /** Each new value makes the list refetch. */
  revision: number;
  onChange: () => void;
};

/** All lip-syncs of the caller, newest first, in pages. Running ones are live. */
export function LipsyncList({ openedId, onOpen, revision, onChange }: Props) {
  const [statusFilter, setStatusFilter] = useState<StatusFilter>('ALL');
  const [label, setLabel] = useState('');
  const [reference] = useDebouncedValue(label.trim(), 300);
  const pages = usePages(`${statusFilter} ${reference}`);
  const status = statusesOf[statusFilter];
  const [{ data, error, fetching }, refetch] = useQuery({
    query: lipsyncsQuery,
    variables: {
      after: pages.after,
      filter: {
        ...(status === null ? {} : { statuses: [...status] }),
        ...(reference === '' ? {} : { reference }),
      },
    },
    requestPolicy: 'cache-and-network',
  });
  const refetchAll = () => refetch({ requestPolicy: 'network-only' });
  const refetchChanged = useEffectEvent(refetchAll);
  useEffect(() => {
    if (revision > 0) refetchChanged();
  }, [revision]);

  return (
    <Paper component="section" aria-labelledby="lipsyncs" p={{ base: 'md', sm: 'xl' }} withBorder>
      <Stack gap="md">
        <Title order={2} size="h3" id="lipsyncs">
          Your lip-syncs
        </Title>
        <SegmentedControl
          aria-label="Filter by status"
          fullWidth
          data={filters}
          value={statusFilter}
          onChange={setStatusFilter}
        />
        <TextInput
          label="Filter by label"
          value={label}
          onChange={({ currentTarget }) => setLabel(currentTarget.value)}
        />
        <Rows data={data} error={error} isFetching={fetching} onRetry={refetchAll}>
          {(lipsync) => (
            <LipsyncRow
              key={lipsync.id}
              lipsync={lipsync}
              isOpened={lipsync.id === openedId}
              onOpen={() => onOpen(lipsync.id)}
              onFinished={onChange}
            />
          )}
        </Rows>
        {data?.lipsyncs && <Pager pages={pages} info={data.lipsyncs.pageInfo} />}
      </Stack>
    </Paper>
  );
}

type Data = ResultOf<typeof lipsyncsQuery>;
type Row = NonNullable<Data['lipsyncs']>['nodes'][number];

type RowsProps = {
  data: Data | undefined;
  error: CombinedError | undefined;
  isFetching: boolean;
  onRetry: () => void;
  children: (row: Row) => ReactNode;
};

function Rows({ data, error, isFetching, onRetry, children }: RowsProps) {
  const lipsyncs = data?.lipsyncs ?? null;
  if (error !== undefined && lipsyncs === null) {
    const steps = { TRY_AGAIN: { label: 'Try again', act: onRetry } };
    return <FailureNotice notice={explainQueryError(error)} steps={steps} />;
  }
  if (lipsyncs === null) return isFetching ? <Skeleton h={220} aria-hidden="true" /> : null;
  const { nodes } = lipsyncs;
  if (nodes.length === 0) {
    return (
      <Text c="dimmed" role="status">
        No lip-syncs here yet.
      </Text>
    );
  }
  return <Stack gap={4}>{nodes.map(children)}</Stack>;
}
