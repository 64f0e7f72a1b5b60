import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { type CancelState, useLipsync } from 'lipsync-graphql-client/react';
import { useState } from 'react';
import { explainError, explainRefusal } from '../text/explain.ts';
import { FailureNotice } from '../text/failure-notice.tsx';
import type { Notice } from '../text/notices.ts';
import { describeCancellation } from './status-text.ts';

type Props = {
  id: string;
  status: string;
  isOpen: boolean;
  onClose: () => void;
  /** Called when the dialog has closed. After a success, the button that opened it is gone too. */
  onClosed: () => void;
};

/** States the cost before it cancels. The panel of the lip-sync shows the outcome. */
export function CancelDialog({ id, status, isOpen, onClose, onClosed }: Props) {
  const { cancellation, cancel } = useLipsync(id);
  const [wasAsked, setAsked] = useState(false);
  const isSending = cancellation.kind === 'CANCELLING';
  const notice = wasAsked ? explainFailedCancel(cancellation) : null;

  const close = () => {
    setAsked(false);
    onClose();
  };
  const send = async () => {
    setAsked(true);
    const answer = await cancel();
    if (answer !== null && 'lipsync' in answer) close();
  };

  return (
    <Modal.Root opened={isOpen} onClose={close} onExitTransitionEnd={onClosed} centered>
      <Modal.Overlay />
      {/* Without Mantine's header: screen readers would announce a second page header. */}
      <Modal.Content>
        <Modal.Body p="lg">
          <Stack>
            <Group justify="space-between" wrap="nowrap">
              <Modal.Title fz="lg" fw={650}>
                Cancel this lip-sync?
              </Modal.Title>
              <Modal.CloseButton aria-label="Close" />
            </Group>
            <Text>{describeCancellation(status)}</Text>
            {notice !== null && <FailureNotice notice={notice} />}
            <Group justify="flex-end">
              <Button variant="default" data-autofocus onClick={close}>
                Keep lip-sync
              </Button>
              <Button color="red.9" aria-busy={isSending} onClick={() => !isSending && void send()}>
                Cancel lip-sync
              </Button>
            </Group>
          </Stack>
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}

function explainFailedCancel(cancellation: CancelState): Notice | null {
  if (cancellation.kind === 'ERROR') return explainError(cancellation.error);
  if (cancellation.kind !== 'ANSWERED') return null;
  return 'lipsync' in cancellation.answer ? null : explainRefusal(cancellation.answer);
}
