import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { type CancelLipsyncAnswer, cancelLipsync } from 'lipsync-graphql-client';
import { useState } from 'react';
import { useSession } from '../session/session.tsx';
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
  const { server } = useSession();
  const [isSending, setSending] = useState(false);
  const [notice, setNotice] = useState<Notice | null>(null);

  const cancel = async () => {
    setSending(true);
    setNotice(null);
    try {
      const failure = explainAnswer(await cancelLipsync(server, id));
      setNotice(failure);
      if (failure === null) onClose();
    } catch (error) {
      if (error instanceof Error) setNotice(explainError(error));
    } finally {
      setSending(false);
    }
  };

  return (
    <Modal.Root opened={isOpen} onClose={onClose} onExitTransitionEnd={onClosed} centered>
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
              <Button variant="default" data-autofocus onClick={onClose}>
                Keep lip-sync
              </Button>
              <Button
                color="red.9"
                aria-busy={isSending}
                onClick={() => !isSending && void cancel()}
              >
                Cancel lip-sync
              </Button>
            </Group>
          </Stack>
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}

function explainAnswer(answer: CancelLipsyncAnswer): Notice | null {
  return 'lipsync' in answer ? null : explainRefusal(answer);
}
