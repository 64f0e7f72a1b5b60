import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { type CancelLipsyncAnswer, cancelLipsync } from 'lipsync-graphql-client';
import { useState } from 'react';
import { useSession } from '../session/session.tsx';
import { explain, explainThrown } from '../text/explain.ts';
import { FailureNotice } from '../text/failure-notice.tsx';
import type { Words } from '../text/notices.ts';
import { warnOfCancelling } from './status-text.ts';

type Props = {
  id: string;
  status: string;
  isOpen: boolean;
  onClose: () => void;
  /** The dialog is gone, and with it, after a success, the button that had opened it. */
  onClosed: () => void;
};

/** Says beforehand what it costs. How it went is seen where the lip-sync is. */
export function CancelDialog({ id, status, isOpen, onClose, onClosed }: Props) {
  const { server } = useSession();
  const [isAsking, setAsking] = useState(false);
  const [words, setWords] = useState<Words | null>(null);

  const cancel = async () => {
    setAsking(true);
    setWords(null);
    try {
      const refusal = explainAnswer(await cancelLipsync(server, id));
      setWords(refusal);
      if (refusal === null) onClose();
    } catch (error) {
      if (error instanceof Error) setWords(explainThrown(error));
    } finally {
      setAsking(false);
    }
  };

  return (
    <Modal.Root opened={isOpen} onClose={onClose} onExitTransitionEnd={onClosed} centered>
      <Modal.Overlay />
      {/* Without Mantine's header: for screen readers it would be a second one of the page. */}
      <Modal.Content>
        <Modal.Body p="lg">
          <Stack>
            <Group justify="space-between" wrap="nowrap">
              <Modal.Title fz="lg" fw={650}>
                Cancel this lip-sync?
              </Modal.Title>
              <Modal.CloseButton aria-label="Close" />
            </Group>
            <Text>{warnOfCancelling(status)}</Text>
            {words !== null && <FailureNotice words={words} />}
            <Group justify="flex-end">
              <Button variant="default" data-autofocus onClick={onClose}>
                Keep it
              </Button>
              <Button color="red.9" aria-busy={isAsking} onClick={() => !isAsking && void cancel()}>
                Cancel it
              </Button>
            </Group>
          </Stack>
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}

function explainAnswer(answer: CancelLipsyncAnswer): Words | null {
  switch (answer.__typename) {
    case 'LipsyncCancelled':
    case 'LipsyncTrackingStopped':
    case 'LipsyncAlreadyFinished':
      return null;
    default:
      return explain(answer);
  }
}
