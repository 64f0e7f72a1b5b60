// A webhook receiver that verifies signatures, without a library. Run: WEBHOOK_SECRET=whsec_… node examples/webhook-receiver.ts

import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { buffer } from 'node:stream/consumers';

const { WEBHOOK_SECRET = '', PORT = '3000' } = process.env;
const key = Buffer.from(WEBHOOK_SECRET.replace('whsec_', ''), 'base64');

function isAuthentic(headers: IncomingHttpHeaders, body: Buffer): boolean {
  const [id, timestamp, signatures] = ['id', 'timestamp', 'signature'].map(
    (name) => `${headers[`webhook-${name}`]}`,
  );
  const isRecent = Math.abs(Date.now() / 1000 - Number(timestamp)) <= 300;
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest();
  const given = `${signatures}`.split(' ').map((each) => Buffer.from(each.slice(3), 'base64'));
  const isSigned = given.some(
    (each) => each.length === expected.length && timingSafeEqual(each, expected),
  );
  return isRecent && isSigned;
}

createServer(async (request, response) => {
  const body = await buffer(request);
  if (!isAuthentic(request.headers, body)) return void response.writeHead(401).end();
  response.writeHead(204).end();
  const { type, data } = JSON.parse(body.toString('utf8'));
  process.stdout.write(`${type} ${data.id} ${data.result?.url ?? ''}\n`);
}).listen(Number(PORT));
