import { serverSentEvents, webSocket } from 'lipsync-graphql-client';

/** Both ways of streaming; each call makes one of its own. */
export const transports = [
  { name: 'server-sent events', make: serverSentEvents },
  { name: 'WebSocket', make: webSocket },
];

/** As patient as by default in number, but quick: a test waits for what happens, not for its time. */
export const quick = { firstMs: 1, mostMs: 20 };
