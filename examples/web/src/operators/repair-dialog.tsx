import { Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { graphql } from '../session/graphql.ts';
import { ActionDialog } from './action-dialog.tsx';

const requeueMutation = graphql(`
  mutation Requeue($id: ID!) {
    answer: requeueLipsync(input: { id: $id }) {
      __typename
      ... on InvalidInputError { issues { message } }
      ... on LipsyncError { message }
    }
  }
`);

const endMutation = graphql(`
  mutation End($id: ID!, $text: String!) {
    answer: endLipsync(input: { id: $id, reason: $text }) {
      __typename
      ... on InvalidInputError { issues { message } }
      ... on LipsyncError { message }
    }
  }
`);

const attachMutation = graphql(`
  mutation Attach($id: ID!, $text: String!) {
    answer: attachLipsyncJob(input: { id: $id, upstreamVideoId: $text }) {
      __typename
      ... on InvalidInputError { issues { message } }
      ... on LipsyncError { message }
    }
  }
`);

export type Repair = 'REQUEUE' | 'END' | 'ATTACH';

type Props = {
  target: { id: string; repair: Repair } | null;
  onClose: () => void;
  onDone: () => void;
};

export function RepairDialog({ target, onClose, onDone }: Props) {
  const [text, setText] = useState('');
  const close = () => {
    setText('');
    onClose();
  };
  const id = target?.id ?? '';
  const shared = { onClose: close, onDone };
  const input = (label: string) => (
    <TextInput
      label={label}
      value={text}
      onChange={({ currentTarget }) => setText(currentTarget.value)}
    />
  );
  return (
    <>
      <ActionDialog
        {...shared}
        title="Put it back into the queue?"
        label="Requeue"
        isOpen={target?.repair === 'REQUEUE'}
        mutation={requeueMutation}
        variables={{ id }}
      >
        <Text size="sm">Only a lip-sync that was surely not sent can wait again.</Text>
      </ActionDialog>
      <ActionDialog
        {...shared}
        title="End this lip-sync?"
        label="End it"
        isOpen={target?.repair === 'END'}
        mutation={endMutation}
        variables={{ id, text }}
      >
        <Text size="sm">It becomes FAILED. A job that runs at the video service is charged.</Text>
        {input('Reason, which its owner sees')}
      </ActionDialog>
      <ActionDialog
        {...shared}
        title="Attach a job"
        label="Attach"
        isOpen={target?.repair === 'ATTACH'}
        mutation={attachMutation}
        variables={{ id, text }}
      >
        <Text size="sm">The lip-sync takes the state of this job.</Text>
        {input('Id of the job at the video service')}
      </ActionDialog>
    </>
  );
}
