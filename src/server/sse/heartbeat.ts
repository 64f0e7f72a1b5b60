/**
 * How often a connection on which nothing happens gives a sign of life, a comment or a ping, in milliseconds. Proxies and
 * load balancers cut what is quiet for 60 seconds by default (nginx, AWS, HAProxy's usual example); with a fifth of that
 * four signs in a row may be late.
 */
export const usualHeartbeatMs = 12_000;
