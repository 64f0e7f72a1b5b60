import { Button, Group, SegmentedControl, Stack, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import type { LipsyncStatus } from 'lipsync-graphql-client';
import { useEffect, useEffectEvent, useState } from 'react';
import { useQuery } from 'urql';
import { Pager } from '../history/pager.tsx';
import { usePages } from '../history/use-pages.ts';
import { graphql, type ResultOf } from '../session/graphql.ts';
import { describeTime } from '../text/time.ts';
import { type Repair, RepairDialog } from './repair-dialog.tsx';
import { Section, Table } from './section.tsx';

const lipsyncsQuery = graphql(`
  query AllLipsyncs($after: String, $filter: AdminLipsyncFilter) {
    allLipsyncs(first: 20, after: $after, filter: $filter) {
      nodes { id owner status createdAt isFinal failure { code message } }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

type State = 'UNFINISHED' | 'FAILED' | 'ALL';
export type ListFilter = { owner: string; state: State };

const states: { value: State; label: string }[] = [
  { value: 'UNFINISHED', label: 'Unfinished' },
  { value: 'FAILED', label: 'Failed' },
  { value: 'ALL', label: 'All' },
];

const statusesOf: Record<State, LipsyncStatus[] | null> = {
  UNFINISHED: ['QUEUED', 'SUBMITTING', 'SUBMITTED', 'GENERATING'],
  FAILED: ['FAILED'],
  ALL: null,
};

type Props = {
  filter: ListFilter;
  onFilter: (filter: ListFilter) => void;
  /** Each new value makes the list refetch. */
  revision: number;
  onChange: () => void;
};

type Row = NonNullable<ResultOf<typeof lipsyncsQuery>['allLipsyncs']>['nodes'][number];

export function Lipsyncs({ filter, onFilter, revision, onChange }: Props) {
  const [repaired, setRepaired] = useState<{ id: string; repair: Repair } | null>(null);
  const [owner] = useDebouncedValue(filter.owner.trim(), 300);
  const pages = usePages(`${filter.state} ${owner}`);
  const statuses = statusesOf[filter.state];
  const [{ data, error }, refetch] = useQuery({
    query: lipsyncsQuery,
    variables: {
      after: pages.after,
      filter: {
        ...(statuses === null ? {} : { statuses }),
        ...(owner === '' ? {} : { owner }),
      },
    },
    requestPolicy: 'cache-and-network',
  });
  const refetchChanged = useEffectEvent(() => refetch({ requestPolicy: 'network-only' }));
  useEffect(() => {
    if (revision > 0) refetchChanged();
  }, [revision]);
  return (
    <Section id="lipsyncs" title="Lip-syncs">
      <Group align="end">
        <SegmentedControl
          aria-label="Filter by state"
          data={states}
          value={filter.state}
          onChange={(state) => onFilter({ ...filter, state })}
        />
        <TextInput
          label="Owner"
          value={filter.owner}
          onChange={({ currentTarget }) => onFilter({ ...filter, owner: currentTarget.value })}
        />
      </Group>
      {error !== undefined && data === undefined && <Text role="alert">{error.message}</Text>}
      {data?.allLipsyncs && (
        <Stack gap="sm">
          <Table
            labelledBy="lipsyncs"
            columns={['Created', 'Owner', 'Status', 'Id', 'Action']}
            empty="There is no such lip-sync."
            rows={data.allLipsyncs.nodes.map((row) => (
              <tr key={row.id}>
                <td>{describeTime(row.createdAt)}</td>
                <td>{row.owner}</td>
                <td>
                  {row.status}
                  {row.failure !== null && <Text size="sm">{row.failure.code}</Text>}
                </td>
                <td>{row.id}</td>
                <td>
                  <Group gap="xs" wrap="nowrap">
                    {repairsOf(row).map((repair) => (
                      <Button
                        key={repair}
                        size="compact-sm"
                        variant="default"
                        aria-label={`${labels[repair]} ${row.id}`}
                        onClick={() => setRepaired({ id: row.id, repair })}
                      >
                        {labels[repair]}
                      </Button>
                    ))}
                  </Group>
                </td>
              </tr>
            ))}
          />
          <Pager pages={pages} info={data.allLipsyncs.pageInfo} />
        </Stack>
      )}
      <RepairDialog target={repaired} onClose={() => setRepaired(null)} onDone={onChange} />
    </Section>
  );
}

const labels: Record<Repair, string> = { REQUEUE: 'Requeue', END: 'End', ATTACH: 'Attach job' };

/** What the server may accept; it decides. */
function repairsOf({ status, isFinal, failure }: Row): Repair[] {
  if (status === 'SUBMITTING') return ['REQUEUE', 'END', 'ATTACH'];
  if (failure?.code === 'OUTCOME_UNKNOWN') return ['ATTACH'];
  return isFinal ? [] : ['END'];
}
