import { Button, Text } from '@mantine/core';
import { graphql, type ResultOf } from '../session/graphql.ts';
import { describeTime } from '../text/time.ts';
import { Section, Table } from './section.tsx';

export const queueFragment = graphql(`
  fragment Queue on LipsyncQueue {
    waitingCount
    oldestWaitingAt
    unknownCount
    owners(first: 20) { owner waitingCount runningCount oldestWaitingAt }
  }
`);

type Props = { queue: ResultOf<typeof queueFragment>; onOwner: (owner: string) => void };

export function Queue({ queue, onOwner }: Props) {
  const { waitingCount, oldestWaitingAt, unknownCount, owners } = queue;
  return (
    <Section id="queue" title="Queue">
      <Text size="sm">
        {waitingCount} waiting
        {oldestWaitingAt !== null && `, the oldest since ${describeTime(oldestWaitingAt)}`}.{' '}
        {unknownCount} with an unknown outcome.
      </Text>
      <Table
        labelledBy="queue"
        columns={['Owner', 'Waiting', 'Running', 'Oldest']}
        empty="No lip-sync waits or runs."
        rows={owners.map((each) => (
          <tr key={each.owner}>
            <td>
              <OwnerButton owner={each.owner} onOwner={onOwner} />
            </td>
            <td>{each.waitingCount}</td>
            <td>{each.runningCount}</td>
            <td>{each.oldestWaitingAt === null ? '–' : describeTime(each.oldestWaitingAt)}</td>
          </tr>
        ))}
      />
    </Section>
  );
}

type OwnerProps = { owner: string; onOwner: (owner: string) => void };

/** Shows the owner's lip-syncs. */
export function OwnerButton({ owner, onOwner }: OwnerProps) {
  return (
    <Button
      size="compact-sm"
      variant="subtle"
      aria-label={`Lip-syncs of ${owner}`}
      onClick={() => onOwner(owner)}
    >
      {owner}
    </Button>
  );
}
