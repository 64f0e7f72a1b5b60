import { once } from 'node:events';
import {
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from 'node:http';

export type Sent = {
  method?: string;
  path?: string;
  headers?: OutgoingHttpHeaders;
  body?: string | Buffer;
};

export type Received = { status: number; headers: IncomingHttpHeaders; text: string };

/** Sends exactly these headers: `fetch` adds some of its own and withholds others. */
export async function send(url: string, sent: Sent): Promise<Received> {
  const { method = 'GET', path = '/', headers = {}, body } = sent;
  const request = httpRequest(url, { method, path, headers, agent: false });
  // An early response can close the connection while the rest of the body is being sent.
  request.on('error', () => undefined);
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response as AsyncIterable<Buffer>) text += chunk.toString();
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}
