import { retryExchange } from '@urql/exchange-retry';
import { type WatchableServer, webSocket } from 'lipsync-graphql-client';
import { createContext, type ReactNode, use, useMemo } from 'react';
import { Client, cacheExchange, fetchExchange, Provider } from 'urql';
import { createWatching, type Watching } from '../lipsync/lipsync-store.ts';
import { type Connection, createConnection } from './connection-monitor.ts';

export type Session = {
  /** For all that the kit does: making, watching, cancelling, uploading. */
  server: WatchableServer;
  watching: Watching;
  connection: Connection;
};

const url = '/graphql';

/** A dead line is found out within this time, and the page says so. */
const silenceMs = 15_000;

const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = use(SessionContext);
  if (session === null) throw new Error('There is no session around this component.');
  return session;
}

/** Give it the token as its key as well: with another caller nothing of the last one stays. */
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
  const connection = createConnection();
  const transport = connection.overhear(webSocket({ silenceMs }));
  const server = { url, token, transport };
  return { server, connection, watching: createWatching(server, connection.forget) };
}

/** For all that is only read. A read may be asked again without harm. */
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
