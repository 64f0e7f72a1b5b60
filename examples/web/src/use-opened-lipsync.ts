import { useSyncExternalStore } from 'react';

const name = 'lipsync';

/** The lip-sync that is shown stands in the address: a reload shows it again, and so does whoever gets the link. */
export function useInView(): [string | null, (id: string | null) => void] {
  const id = useSyncExternalStore(subscribe, read);
  return [id, show];
}

function read(): string | null {
  return new URLSearchParams(location.search).get(name);
}

function show(id: string | null): void {
  const url = new URL(location.href);
  if (id === null) url.searchParams.delete(name);
  else url.searchParams.set(name, id);
  if (url.href !== location.href) history.pushState(null, '', url);
  dispatchEvent(new PopStateEvent('popstate'));
}

function subscribe(listener: () => void): () => void {
  addEventListener('popstate', listener);
  return () => removeEventListener('popstate', listener);
}
