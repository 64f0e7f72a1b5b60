import type { buildConnector } from 'undici';

/**
 * Limits a client to one connection. undici reconnects by itself, without limit, when a connection closes before the
 * request was written to it; one attempt is enough to report the server as unreachable.
 */
export function connectOnce(connect: buildConnector.connector): buildConnector.connector {
  let isUsed = false;
  return (options, callback) => {
    if (isUsed) {
      callback(new Error('The connection closed before the request was written.'), null);
      return;
    }
    isUsed = true;
    connect(options, callback);
  };
}
