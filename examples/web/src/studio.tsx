import { useRef, useState } from 'react';
import { flushSync } from 'react-dom';
import { CreateForm } from './form/create-form.tsx';
import { type Draft, useDraft } from './form/draft.ts';
import { focusPart } from './form/focus.ts';
import { LipsyncList } from './history/lipsync-list.tsx';
import { LipsyncPanel } from './lipsync/lipsync-panel.tsx';
import classes from './studio.module.css';
import { useOpenedLipsync } from './use-opened-lipsync.ts';

/** The form, the list of lip-syncs, and the opened one. */
export function Studio({ onSignIn }: { onSignIn: () => void }) {
  const [openedId, setOpenedId] = useOpenedLipsync();
  const [draft, change] = useDraft();
  const [revision, setRevision] = useState(0);
  const [unknownId, setUnknownId] = useState<string | null>(null);
  const [again, setAgain] = useState({ count: 0, isComplete: false });
  const heading = useRef<HTMLHeadingElement>(null);

  const refreshList = () => setRevision((count) => count + 1);
  const open = (id: string) => {
    flushSync(() => setOpenedId(id));
    heading.current?.focus();
    heading.current?.scrollIntoView({ block: 'center' });
  };

  /** A new form, because the old one may hold files of another request. */
  const makeAgain = (request: Draft) => {
    flushSync(() => {
      change(request);
      setAgain(({ count }) => ({ count: count + 1, isComplete: isComplete(request) }));
    });
    focusPart(request.videoNote === null ? 'SPEECH' : 'VIDEO');
  };

  return (
    <div className={classes.studio}>
      {openedId !== null && (
        <div className={classes.wide}>
          <LipsyncPanel
            key={openedId}
            id={openedId}
            isOutcomeUnknown={openedId === unknownId}
            heading={heading}
            onClose={() => {
              setOpenedId(null);
              focusPart('VIDEO');
            }}
            onUse={({ id, name }) => {
              change({ video: { source: 'LISTED', id, name }, videoNote: null });
              focusPart('SPEECH');
            }}
            onChange={focusPart}
            onAgain={makeAgain}
            onSignIn={onSignIn}
          />
        </div>
      )}
      <CreateForm
        key={again.count}
        announcement={again.count === 0 ? null : describeFilled(again.isComplete)}
        draft={draft}
        change={change}
        revision={revision}
        onSignIn={onSignIn}
        onCreated={({ __typename, lipsync }) => {
          setUnknownId(__typename === 'OutcomeUnknownError' ? lipsync.id : null);
          open(lipsync.id);
          refreshList();
        }}
      />
      <LipsyncList openedId={openedId} onOpen={open} revision={revision} onChange={refreshList} />
    </div>
  );
}

function isComplete({ videoNote, speechNote }: Draft): boolean {
  return videoNote === null && speechNote === null;
}

function describeFilled(isComplete: boolean): string {
  return isComplete
    ? 'The form is filled in as before. Nothing has been sent yet.'
    : 'The form is filled in as before, except for what is no longer there. Nothing has been sent yet.';
}
