import type { buildConnector } from 'undici';

/**
 * A connector for one request over one connection. undici connects again, without limit, when a connection ends before
 * the request was written to it; the second attempt fails here instead.
 */
export function connectOnce(connector: buildConnector.connector): buildConnector.connector {
  let isUsed = false;
  return (options, callback) => {
    if (isUsed) {
      callback(new Error('The connection ended before the request was written.'), null);
      return;
    }
    isUsed = true;
    connector(options, callback);
  };
}
