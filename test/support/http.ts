import { once } from 'node:events';
import {
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from 'node:http';

export type HttpRequest = {
  method?: string;
  path?: string;
  headers?: OutgoingHttpHeaders;
  body?: string | Buffer;
};

export type HttpResponse = { status: number; headers: IncomingHttpHeaders; text: string };

/** Sends exactly this request on a connection of its own: `fetch` adds and removes headers. */
export async function sendRequest(url: string, sent: HttpRequest): Promise<HttpResponse> {
  const { method = 'GET', path = '/', headers = {}, body } = sent;
  const request = httpRequest(url, { method, path, headers, agent: false });
  // A response before the end of the request may close the connection during the rest.
  request.on('error', () => undefined);
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response as AsyncIterable<Buffer>) text += chunk.toString();
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}
