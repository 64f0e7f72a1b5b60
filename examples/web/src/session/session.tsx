import { retryExchange } from '@urql/exchange-retry';
import { type WatchableServer, webSocket } from 'lipsync-graphql-client';
import { LipsyncProvider } from 'lipsync-graphql-client/react';
import { createContext, type ReactNode, use, useMemo, useSyncExternalStore } from 'react';
import { Client, cacheExchange, fetchExchange, Provider } from 'urql';
import { type ConnectionMonitor, createConnectionMonitor } from './connection-monitor.ts';

export type Session = {
  /** For the hooks and functions of the kit. */
  server: WatchableServer;
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

/** Whether the shared connection is lost at the moment. */
export function useIsConnectionLost(): boolean {
  const { connection } = useSession();
  return useSyncExternalStore(connection.subscribe, connection.read);
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
      <LipsyncProvider server={session.server}>
        <Provider value={client}>{children}</Provider>
      </LipsyncProvider>
    </SessionContext>
  );
}

function openSession(token: string | null): Session {
  const connection = createConnectionMonitor();
  const transport = connection.monitor(webSocket({ silenceMs }));
  return { server: { url, token, transport }, connection };
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
