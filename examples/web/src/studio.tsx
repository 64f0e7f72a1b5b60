import { useRef, useState } from 'react';
import { flushSync } from 'react-dom';
import { useDraft } from './form/draft.ts';
import { focusOn } from './form/focus.ts';
import { MakeForm } from './form/create-form.tsx';
import { PastLipsyncs } from './history/lipsync-list.tsx';
import { LipsyncPanel } from './lipsync/lipsync-panel.tsx';
import classes from './studio.module.css';
import { useInView } from './use-opened-lipsync.ts';

/** The form, what was made with it, and the one that is looked at. */
export function Studio({ onSignIn }: { onSignIn: () => void }) {
  const [inView, show] = useInView();
  const [draft, change] = useDraft();
  const [news, setNews] = useState(0);
  const [unclear, setUnclear] = useState<string | null>(null);
  const heading = useRef<HTMLHeadingElement>(null);

  const tellNews = () => setNews((count) => count + 1);
  const open = (id: string) => {
    flushSync(() => show(id));
    heading.current?.focus();
    heading.current?.scrollIntoView({ block: 'center' });
  };

  return (
    <div className={classes.studio}>
      {inView !== null && (
        <div className={classes.wide}>
          <LipsyncPanel
            key={inView}
            id={inView}
            isUnclear={inView === unclear}
            heading={heading}
            onClose={() => {
              show(null);
              focusOn('VIDEO');
            }}
            onUse={({ id, name }) => {
              change({ video: { source: 'LISTED', id, name } });
              focusOn('SPEECH');
            }}
            onChange={focusOn}
            onSignIn={onSignIn}
          />
        </div>
      )}
      <MakeForm
        draft={draft}
        change={change}
        onSignIn={onSignIn}
        onMade={({ __typename, lipsync }) => {
          setUnclear(__typename === 'OutcomeUnknownError' ? lipsync.id : null);
          open(lipsync.id);
          tellNews();
        }}
      />
      <PastLipsyncs inView={inView} onOpen={open} news={news} onNews={tellNews} />
    </div>
  );
}
