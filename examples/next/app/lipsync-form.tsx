'use client';

import { serverSentEvents } from 'lipsync-graphql-client';
import { LipsyncProvider, useLipsync } from 'lipsync-graphql-client/react';
import { useActionState, useId } from 'react';
import { makeLipsync } from './actions.ts';

const server = { url: '/api/graphql', transport: serverSentEvents() };

/** `formKey`: made by the page for each form, such as `crypto.randomUUID()`. */
export function LipsyncForm({ videoId, formKey }: { videoId: string; formKey: string }) {
  const [answer, submit, isPending] = useActionState(makeLipsync, null);
  const textId = useId();
  return (
    <LipsyncProvider server={server}>
      <form action={submit}>
        <input type="hidden" name="videoId" value={videoId} />
        <input type="hidden" name="key" value={formKey} />
        <label htmlFor={textId}>What to say</label>
        <textarea id={textId} name="text" required />
        <button type="submit" disabled={isPending}>
          Make the video
        </button>
      </form>
      {answer !== null && 'message' in answer && <p role="alert">{answer.message}</p>}
      {answer !== null && 'id' in answer && <Lipsync id={answer.id} />}
    </LipsyncProvider>
  );
}

function Lipsync({ id }: { id: string }) {
  const { state, retry } = useLipsync(id);
  switch (state.kind) {
    case 'IDLE':
    case 'CONNECTING':
      return <progress />;
    case 'MAKING':
      return <progress value={state.event.percent} max={100} />;
    case 'REFUSED':
      return <p role="alert">{state.failure.message}</p>;
    case 'ERROR':
      return (
        <button type="button" onClick={retry}>
          {state.error.message} Connect again
        </button>
      );
    case 'ENDED':
      return state.end.outcome === 'COMPLETED' ? (
        // biome-ignore lint/a11y/useMediaCaption: the form shows the text that is spoken.
        <video src={state.end.video.url ?? undefined} controls />
      ) : (
        <p role="alert">{'failure' in state.end ? state.end.failure.message : state.end.outcome}</p>
      );
  }
}
