import { Paper, SegmentedControl, Skeleton, Stack, Text, TextInput, Title } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import type { LipsyncStatus } from 'lipsync-graphql-client';
import { type ReactNode, useEffect, useEffectEvent, useState } from 'react';
import { type CombinedError, useQuery } from 'urql';
import { graphql, type ResultOf } from '../session/graphql.ts';
import { FailureNotice } from '../text/failure-notice.tsx';
import { explainRead } from '../text/query-error.ts';
import { runningStatuses } from '../text/status.ts';
import { Pager } from './pager.tsx';
import { PastLipsync, pastLipsyncFragment } from './lipsync-row.tsx';
import { usePages } from './use-pages.ts';

const lipsyncsQuery = graphql(
  `
    query Lipsyncs($after: String, $filter: LipsyncFilter) {
      lipsyncs(first: 5, after: $after, filter: $filter) {
        nodes { ...PastLipsync }
        pageInfo { hasNextPage endCursor }
      }
    }
  `,
  [pastLipsyncFragment],
);

type Kind = 'ALL' | 'RUNNING' | 'READY' | 'OTHER';

const kinds: { value: Kind; label: string }[] = [
  { value: 'ALL', label: 'All' },
  { value: 'RUNNING', label: 'Running' },
  { value: 'READY', label: 'Ready' },
  { value: 'OTHER', label: 'No video' },
];

const statusesOf: Record<Kind, readonly LipsyncStatus[] | null> = {
  ALL: null,
  RUNNING: runningStatuses,
  READY: ['COMPLETED'],
  OTHER: ['FAILED', 'MODERATED', 'CANCELLED', 'EXPIRED'],
};

type Props = {
  inView: string | null;
  onOpen: (id: string) => void;
  /** Another number means that there is news to read. */
  news: number;
  onNews: () => void;
};

/** All that there was, the newest first, by pages. What still runs is live here too. */
export function PastLipsyncs({ inView, onOpen, news, onNews }: Props) {
  const [kind, setKind] = useState<Kind>('ALL');
  const [label, setLabel] = useState('');
  const [reference] = useDebouncedValue(label.trim(), 300);
  const pages = usePages(`${kind} ${reference}`);
  const status = statusesOf[kind];
  const [{ data, error, fetching }, ask] = useQuery({
    query: lipsyncsQuery,
    variables: {
      after: pages.after,
      filter: {
        ...(status === null ? {} : { status: [...status] }),
        ...(reference === '' ? {} : { reference }),
      },
    },
    requestPolicy: 'cache-and-network',
  });
  const again = () => ask({ requestPolicy: 'network-only' });
  const readNews = useEffectEvent(again);
  useEffect(() => {
    if (news > 0) readNews();
  }, [news]);

  return (
    <Paper component="section" aria-labelledby="past" p={{ base: 'md', sm: 'xl' }} withBorder>
      <Stack gap="md">
        <Title order={2} size="h3" id="past">
          Your lip-syncs
        </Title>
        <SegmentedControl
          aria-label="Which ones"
          fullWidth
          data={kinds}
          value={kind}
          onChange={setKind}
        />
        <TextInput
          label="With the label"
          value={label}
          onChange={({ currentTarget }) => setLabel(currentTarget.value)}
        />
        <Rows data={data} error={error} isFetching={fetching} onAgain={again}>
          {(lipsync) => (
            <PastLipsync
              key={lipsync.id}
              lipsync={lipsync}
              isInView={lipsync.id === inView}
              onOpen={() => onOpen(lipsync.id)}
              onEnded={onNews}
            />
          )}
        </Rows>
        {data !== undefined && <Pager pages={pages} info={data.lipsyncs.pageInfo} />}
      </Stack>
    </Paper>
  );
}

type Data = ResultOf<typeof lipsyncsQuery>;
type Row = Data['lipsyncs']['nodes'][number];

type RowsProps = {
  data: Data | undefined;
  error: CombinedError | undefined;
  isFetching: boolean;
  onAgain: () => void;
  children: (row: Row) => ReactNode;
};

function Rows({ data, error, isFetching, onAgain, children }: RowsProps) {
  if (error !== undefined && data === undefined) {
    const steps = { TRY_AGAIN: { label: 'Try again', act: onAgain } };
    return <FailureNotice words={explainRead(error)} steps={steps} />;
  }
  if (data === undefined) return isFetching ? <Skeleton h={220} aria-hidden="true" /> : null;
  const { nodes } = data.lipsyncs;
  if (nodes.length === 0) {
    return (
      <Text c="dimmed" role="status">
        There is none here yet.
      </Text>
    );
  }
  return <Stack gap={4}>{nodes.map(children)}</Stack>;
}
