import { defineConfig, MemPubSub } from '@graphql-hive/gateway';

/** The transport of subscriptions between the gateway and the subgraph. `sse` is the gateway's default. */
const { SUBGRAPH_SUBSCRIPTIONS = 'sse', PUBLIC_URL = '' } = process.env;

// The caller's token, not the gateway's, so that each caller has its own connection.
const authorization = '{context.headers.authorization}';

const transports: Record<string, object> = {
  ws: { kind: 'ws', location: '/graphql', options: { connectionParams: { authorization } } },
  callback: {
    kind: 'http-callback',
    location: '/graphql',
    headers: [['authorization', authorization]],
    // How fast the gateway detects that the subgraph is gone. Its default is 50 s.
    options: {
      public_url: `${PUBLIC_URL}/callback`,
      path: '/callback',
      heartbeat_interval: 10_000,
    },
  },
};
const subscriptions = transports[SUBGRAPH_SUBSCRIPTIONS];

export const gatewayConfig = defineConfig({
  // `context.headers` contains the HTTP headers or, over WebSocket, the payload of `connection_init`.
  propagateHeaders: {
    fromClientToSubgraphs: ({ context }) => ({ authorization: context.headers.authorization }),
  },
  ...(subscriptions === undefined
    ? {}
    : { transportEntries: { '*.http': { options: { subscriptions } } } }),
  ...(SUBGRAPH_SUBSCRIPTIONS === 'callback' ? { webhooks: true, pubsub: new MemPubSub() } : {}),
});
