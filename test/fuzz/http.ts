import { Agent, type IncomingMessage, type OutgoingHttpHeaders, request as send } from 'node:http';
import type { Outcome } from './judge.ts';

/** A request without any answer for this long counts as hanging. */
const patienceMs = 20_000;

/** A stream that is quiet for this long is closed. */
const quietMs = 120;

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

export type HttpRequest = {
  method: string;
  path: string;
  headers: OutgoingHttpHeaders;
  body?: string | Buffer | undefined;
  /** Disconnects before the whole body is sent. */
  leavesEarly?: boolean | undefined;
};

/** Sends a malformed request and reads the answer. */
export function sendHttp(
  url: string,
  asked: HttpRequest,
  connection: Agent | false = agent,
): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const { method, path, body = '', leavesEarly = false } = asked;
  const headers = cleanHeaders(asked.headers);
  const request = send(url, { method, path, headers, agent: connection });
  const broken = (reason: string) => resolve({ status: null, text: '', broken: reason });
  request.setTimeout(patienceMs, () => {
    broken('it hangs');
    request.destroy();
  });
  request.on('response', (response) => void listen(response).then(resolve));
  request.on('upgrade', (_response, socket) => {
    socket.destroy();
    resolve({ status: 101, text: '' });
  });
  request.on('error', (error) => {
    const code = 'code' in error ? String(error.code) : error.message;
    if (leavesEarly) resolve({ status: null, text: '' });
    // The server may close a kept-alive connection at the same moment, which is not a defect.
    else if (request.reusedSocket) resolve(sendHttp(url, asked, false));
    else broken(code);
  });
  if (leavesEarly) {
    request.write(body.slice(0, body.length >> 1), () => request.destroy());
  } else request.end(body);
  return promise;
}

async function listen(response: IncomingMessage): Promise<Outcome> {
  const { statusCode: status = 0, headers } = response;
  const isStream = String(headers['content-type']).startsWith('text/event-stream');
  const { promise, resolve } = Promise.withResolvers<void>();
  const chunks: Buffer[] = [];
  const leave = isStream ? setTimeout(resolve, quietMs) : undefined;
  let broken: string | undefined;
  response.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    leave?.refresh();
  });
  response.once('end', resolve);
  response.once('error', (error) => {
    broken = `cut while it answered: ${error.message}`;
    resolve();
  });
  await promise;
  clearTimeout(leave);
  const text = Buffer.concat(chunks).toString('utf8');
  if (!response.readableEnded) response.destroy();
  return { status, text: `${JSON.stringify(headers)}${text}`, broken };
}

/** Removes headers that Node refuses to send. */
function cleanHeaders(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => /^[!#$%&'*+.^_`|~\w-]+$/.test(name))
      .map(([name, value]) => [name, String(value).replace(/[^\t\x20-\x7e\x80-\xff]/g, '')]),
  );
}
