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

/** Sends it as it is: `fetch` adds and withholds headers of its own. */
export async function send(url: string, sent: Sent): Promise<Received> {
  const { method = 'GET', path = '/', headers = {}, body } = sent;
  const request = httpRequest(url, { method, path, headers, agent: false });
  // An answer that comes before all was sent may close the connection under the rest.
  request.on('error', () => undefined);
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response as AsyncIterable<Buffer>) text += chunk.toString();
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}
