import { createServer, type IncomingMessage, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/*
 * Two simple ways to forward a file, for comparison: `buffer` reads the whole file and then sends it, `pipe` connects two
 * requests. Neither uses a database, inspects the bytes or has states.
 */
const [, , mode, upstreamUrl = ''] = process.argv;

const server = createServer({ requestTimeout: 0 }, async (request, response) => {
  const answer = await forward(await bodyOf(request));
  response.writeHead(answer.statusCode ?? 502);
  await pipeline(answer, response);
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(
    `${JSON.stringify({ msg: 'listening', url: `http://127.0.0.1:${port}` })}\n`,
  );
});
process.once('SIGTERM', () => process.exit(0));

async function bodyOf(request: IncomingMessage): Promise<Readable> {
  if (mode === 'pipe') return request;
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Readable.from(chunks);
}

async function forward(body: Readable): Promise<IncomingMessage> {
  const { promise, resolve } = Promise.withResolvers<IncomingMessage>();
  const outgoing = send(
    `${upstreamUrl}/files/`,
    { method: 'POST', headers: { 'content-type': 'audio/wav' } },
    resolve,
  );
  await pipeline(body, outgoing);
  return promise;
}
