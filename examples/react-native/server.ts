import { type WatchableServer, webSocket } from 'lipsync-graphql-client';

/**
 * `fetch` of React Native does not stream, so the transport is a WebSocket, which it has.
 *
 * @param readToken gives a fresh token of the user, from your own server
 */
export function createServer(url: string, readToken: () => Promise<string>): WatchableServer {
  return { url, token: readToken, transport: webSocket() };
}
