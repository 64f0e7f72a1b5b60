import {
  createContext,
  createElement,
  type ReactElement,
  type ReactNode,
  useContext,
  useState,
} from 'react';
import type { WatchableServer } from '../streams/log-reader.ts';

const ServerContext = createContext<WatchableServer | null>(null);

/** Props of `LipsyncProvider`. */
export type LipsyncProviderProps = {
  /**
   * The server and the transport of its streams. Create it once, outside of a component: hooks that get another object
   * begin again with it, as is right after a sign-in.
   */
  server: WatchableServer;
  /** The components whose hooks use the server. */
  children?: ReactNode;
};

/** Gives the server to `useLipsync`, `useMakeLipsync` and `useUpload`. */
export function LipsyncProvider({ server, children }: LipsyncProviderProps): ReactElement {
  return createElement(ServerContext.Provider, { value: server }, children);
}

export function useServer(): WatchableServer {
  const server = useContext(ServerContext);
  if (server === null) throw new Error('Put the component into a LipsyncProvider.');
  return server;
}

/** A store that lives as long as its component, and begins again with another server. */
export function useStoreOfServer<Store>(create: (server: WatchableServer) => Store): Store {
  const server = useServer();
  const [held, hold] = useState(() => ({ server, store: create(server) }));
  if (held.server === server) return held.store;
  const next = { server, store: create(server) };
  hold(next);
  return next.store;
}
