import { defineConfig, MemPubSub } from '@graphql-hive/gateway';

/** Where subscriptions go on from the gateway: `sse` is what it does by itself. */
const { SUBGRAPH_SUBSCRIPTIONS = 'sse', PUBLIC_URL = '' } = process.env;

// Of the caller, not of the gateway: so each of them has a connection of its own.
const authorization = '{context.headers.authorization}';

const transports: Record<string, object> = {
  ws: { kind: 'ws', location: '/graphql', options: { connectionParams: { authorization } } },
  callback: {
    kind: 'http-callback',
    location: '/graphql',
    headers: [['authorization', authorization]],
    // How soon the gateway notices that nobody calls any more: by itself only after 50 s.
    options: {
      public_url: `${PUBLIC_URL}/callback`,
      path: '/callback',
      heartbeat_interval: 10_000,
    },
  },
};
const subscriptions = transports[SUBGRAPH_SUBSCRIPTIONS];

export const gatewayConfig = defineConfig({
  // `context.headers` is the header of HTTP and, over WebSocket, what `connection_init` brought.
  propagateHeaders: {
    fromClientToSubgraphs: ({ context }) => ({ authorization: context.headers.authorization }),
  },
  ...(subscriptions === undefined
    ? {}
    : { transportEntries: { '*.http': { options: { subscriptions } } } }),
  ...(SUBGRAPH_SUBSCRIPTIONS === 'callback' ? { webhooks: true, pubsub: new MemPubSub() } : {}),
});
