import { Button, Text } from '@mantine/core';
import { useState } from 'react';
import { graphql, type ResultOf } from '../session/graphql.ts';
import { ActionDialog } from './action-dialog.tsx';
import { OwnerButton } from './queue.tsx';
import { Section, Table } from './section.tsx';

export const usageFragment = graphql(`
  fragment Usage on OwnerUsage {
    owner
    usage { created completed failed moderated cancelled expired credits }
  }
`);

const eraseMutation = graphql(`
  mutation Erase($owner: String!) {
    answer: eraseOwner(input: { owner: $owner }) {
      __typename
      ... on InvalidInputError { issues { message } }
      ... on LipsyncError { message }
    }
  }
`);

type Props = {
  owners: ResultOf<typeof usageFragment>[];
  onOwner: (owner: string) => void;
  onChange: () => void;
};

export function Usage({ owners, onOwner, onChange }: Props) {
  const [erased, setErased] = useState<string | null>(null);
  const sorted = owners.toSorted((a, b) => b.usage.created - a.usage.created);
  return (
    <Section id="usage" title="Usage today, in UTC">
      <Table
        labelledBy="usage"
        columns={['Owner', 'Created', 'Completed', 'Without a video', 'Credits', 'Action']}
        empty="Nothing was used today."
        rows={sorted.map(({ owner, usage }) => (
          <tr key={owner}>
            <td>
              <OwnerButton owner={owner} onOwner={onOwner} />
            </td>
            <td>{usage.created}</td>
            <td>{usage.completed}</td>
            <td>{usage.failed + usage.moderated + usage.cancelled + usage.expired}</td>
            <td>{usage.credits}</td>
            <td>
              <Button
                size="compact-sm"
                variant="default"
                aria-label={`Erase ${owner}`}
                onClick={() => setErased(owner)}
              >
                Erase
              </Button>
            </td>
          </tr>
        ))}
      />
      <ActionDialog
        title={`Erase ${erased ?? ''}?`}
        label="Erase everything"
        isOpen={erased !== null}
        mutation={eraseMutation}
        variables={{ owner: erased ?? '' }}
        onClose={() => setErased(null)}
        onDone={onChange}
      >
        <Text size="sm">
          Cancels the lip-syncs of this owner and erases all of its data: lip-syncs, uploads,
          webhooks, usage. It continues in the background and cannot be undone. Jobs that run at the
          video service continue and are charged.
        </Text>
      </ActionDialog>
    </Section>
  );
}
