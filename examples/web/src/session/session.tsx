import { retryExchange } from '@urql/exchange-retry';
import { type WatchableServer, webSocket } from 'lipsync-graphql-client';
import { createContext, type ReactNode, use, useMemo } from 'react';
import { Client, cacheExchange, fetchExchange, Provider } from 'urql';
import { createLipsyncStore, type LipsyncStore } from '../lipsync/lipsync-store.ts';
import { type ConnectionMonitor, createConnectionMonitor } from './connection-monitor.ts';

export type Session = {
  /** For the functions of the kit: create, watch, cancel, upload. */
  server: WatchableServer;
  lipsyncStore: LipsyncStore;
  connection: ConnectionMonitor;
};

const url = '/graphql';

/** A dead connection is detected, and shown, within this time. */
const silenceMs = 15_000;

const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = use(SessionContext);
  if (session === null) throw new Error('useSession needs a SessionProvider above it.');
  return session;
}

/** Use the token as its `key` too, so that a new caller starts without the state of the last one. */
export function SessionProvider({
  token,
  children,
}: {
  token: string | null;
  children: ReactNode;
}) {
  const session = useMemo(() => openSession(token), [token]);
  const client = useMemo(() => openClient(token), [token]);
  return (
    <SessionContext value={session}>
      <Provider value={client}>{children}</Provider>
    </SessionContext>
  );
}

function openSession(token: string | null): Session {
  const connection = createConnectionMonitor();
  const transport = connection.monitor(webSocket({ silenceMs }));
  const server = { url, token, transport };
  return { server, connection, lipsyncStore: createLipsyncStore(server, connection.reset) };
}

/** For queries, which are safe to retry. */
function openClient(token: string | null): Client {
  const headers: Record<string, string> =
    token === null ? {} : { authorization: `Bearer ${token}` };
  return new Client({
    url,
    preferGetMethod: false,
    fetchOptions: { headers },
    exchanges: [
      cacheExchange,
      retryExchange({ maxNumberAttempts: 4, retryIf: (error) => error.networkError !== undefined }),
      fetchExchange,
    ],
  });
}
