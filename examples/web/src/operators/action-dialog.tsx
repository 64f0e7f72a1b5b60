import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { type AnyVariables, type TypedDocumentNode, useClient } from 'urql';

/** A member of the union of a mutation with the alias `answer`; a failure has a message. */
type Answer = { __typename: string; message?: string; issues?: { message: string }[] };

type Props<Variables extends AnyVariables> = {
  title: string;
  /** Of the button that sends the mutation. */
  label: string;
  isOpen: boolean;
  mutation: TypedDocumentNode<{ answer: Answer }, Variables>;
  variables: Variables;
  children: ReactNode;
  onClose: () => void;
  /** Called after a success. */
  onDone: () => void;
};

/** Sends a mutation after a confirmation, and shows why it was rejected. */
export function ActionDialog<Variables extends AnyVariables>({
  title,
  label,
  isOpen,
  mutation,
  variables,
  children,
  onClose,
  onDone,
}: Props<Variables>) {
  const client = useClient();
  const [isSending, setSending] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const close = () => {
    setProblem(null);
    onClose();
  };
  const send = async () => {
    setSending(true);
    const { data, error } = await client.mutation(mutation, variables);
    setSending(false);
    const found = problemOf(data?.answer, error?.message);
    setProblem(found);
    if (found !== null) return;
    close();
    onDone();
  };
  return (
    <Modal.Root opened={isOpen} onClose={close} centered>
      <Modal.Overlay />
      <Modal.Content>
        <Modal.Body p="lg">
          <Stack>
            <Group justify="space-between" wrap="nowrap">
              <Modal.Title fz="lg" fw={650}>
                {title}
              </Modal.Title>
              <Modal.CloseButton aria-label="Close" />
            </Group>
            {children}
            {problem !== null && (
              <Text role="alert" c="var(--bad)" size="sm">
                {problem}
              </Text>
            )}
            <Group justify="flex-end">
              <Button variant="default" onClick={close}>
                Close
              </Button>
              <Button aria-busy={isSending} onClick={() => !isSending && void send()}>
                {label}
              </Button>
            </Group>
          </Stack>
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}

function problemOf(answer: Answer | undefined, error: string | undefined): string | null {
  if (answer === undefined) return error ?? 'The server cannot be reached.';
  const issues = answer.issues?.map(({ message }) => message).join(' ');
  return issues ?? answer.message ?? null;
}
