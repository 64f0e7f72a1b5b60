import { useCallback, useSyncExternalStore } from 'react';
import { useSession } from '../session/session.tsx';
import type { LipsyncState } from './lipsync-store.ts';

const idle: LipsyncState = { kind: 'CONNECTING' };

/** The live state of a lip-sync. With null nothing is watched. */
export function useLipsync(id: string | null): LipsyncState {
  const { lipsyncStore } = useSession();
  const subscribe = useCallback(
    (listener: () => void) =>
      id === null ? () => undefined : lipsyncStore.subscribe(id, listener),
    [lipsyncStore, id],
  );
  return useSyncExternalStore(subscribe, () => (id === null ? idle : lipsyncStore.read(id)));
}

/** Whether the shared connection is lost at the moment. */
export function useIsConnectionLost(): boolean {
  const { connection } = useSession();
  return useSyncExternalStore(connection.subscribe, connection.read);
}
