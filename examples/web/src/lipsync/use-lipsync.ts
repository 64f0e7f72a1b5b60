import { useCallback, useSyncExternalStore } from 'react';
import { useSession } from '../session/session.tsx';
import type { Watched } from './lipsync-store.ts';

const idle: Watched = { kind: 'OPENING' };

/** A lip-sync as it is now, live. With null nothing is watched. */
export function useLipsync(id: string | null): Watched {
  const { watching } = useSession();
  const subscribe = useCallback(
    (listener: () => void) => (id === null ? () => undefined : watching.subscribe(id, listener)),
    [watching, id],
  );
  return useSyncExternalStore(subscribe, () => (id === null ? idle : watching.read(id)));
}

/** Whether the connection on which all of them come is gone for now. */
export function useIsLost(): boolean {
  const { connection } = useSession();
  return useSyncExternalStore(connection.subscribe, connection.read);
}
