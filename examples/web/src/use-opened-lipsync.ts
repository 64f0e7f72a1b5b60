import { useSyncExternalStore } from 'react';

const parameter = 'lipsync';

/** The id of the opened lip-sync is in the URL, so that it survives a reload and can be shared as a link. */
export function useOpenedLipsync(): [string | null, (id: string | null) => void] {
  const id = useSyncExternalStore(subscribe, read);
  return [id, show];
}

function read(): string | null {
  return new URLSearchParams(location.search).get(parameter);
}

function show(id: string | null): void {
  const url = new URL(location.href);
  if (id === null) url.searchParams.delete(parameter);
  else url.searchParams.set(parameter, id);
  if (url.href !== location.href) history.pushState(null, '', url);
  dispatchEvent(new PopStateEvent('popstate'));
}

function subscribe(listener: () => void): () => void {
  addEventListener('popstate', listener);
  return () => removeEventListener('popstate', listener);
}
