import type { FileHandler } from '../../../test/support/file-server.ts';

/**
 * A file that arrives slowly until the test releases it: the page has time to show its progress. The server counts the bytes
 * once a second, at the next piece that arrives.
 */
export function holdFile(bytes: Uint8Array, contentType: string) {
  let release = () => {};
  const handler: FileHandler = (response) => {
    response.writeHead(200, { 'content-type': contentType, 'content-length': bytes.byteLength });
    let sentBytes = 0;
    const send = (count: number) => {
      response.write(bytes.subarray(sentBytes, sentBytes + count));
      sentBytes += count;
    };
    send(10_000);
    const timer = setInterval(() => send(20), 100);
    response.on('close', () => clearInterval(timer));
    release = () => {
      clearInterval(timer);
      response.end(bytes.subarray(sentBytes));
    };
  };
  return { handler, release: () => release() };
}
