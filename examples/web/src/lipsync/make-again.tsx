import { Button } from '@mantine/core';
import { useState } from 'react';
import { useClient } from 'urql';
import type { Draft } from '../form/draft.ts';
import { draftOf, readMadeBefore } from '../form/made-before.ts';
import { Icon } from '../icon.tsx';
import { FailureNotice } from '../text/failure-notice.tsx';
import type { Notice } from '../text/notices.ts';
import { explainQueryError } from '../text/query-error.ts';

type Props = {
  id: string;
  /** Fills the form. Nothing is sent. */
  onAgain: (draft: Draft) => void;
};

/** Offers to repeat the request, with a chance to change it first. */
export function MakeAgain({ id, onAgain }: Props) {
  const client = useClient();
  const [isReading, setReading] = useState(false);
  const [notice, setNotice] = useState<Notice | null>(null);
  const read = async () => {
    setReading(true);
    setNotice(null);
    const { request, error } = await readMadeBefore(client, id);
    setReading(false);
    if (request !== null) return onAgain(draftOf(request));
    setNotice(error === undefined ? deleted : explainQueryError(error));
  };
  return (
    <>
      <Button
        variant="default"
        leftSection={<Icon name="again" />}
        aria-busy={isReading}
        onClick={() => !isReading && void read()}
      >
        Make again
      </Button>
      {notice !== null && (
        <FailureNotice
          notice={notice}
          steps={{ TRY_AGAIN: { label: 'Try again', act: () => void read() } }}
        />
      )}
    </>
  );
}

const deleted: Notice = {
  title: 'This lip-sync was deleted',
  advice: 'What was asked for is not stored any more.',
  step: 'NOTHING',
};
