import { type LipsyncWebhook, verifyWebhook } from 'lipsync-graphql-client/server';
import { Webhook } from 'standardwebhooks';
import { afterEach, describe, expect, test, vi } from 'vitest';

const secret = `whsec_${Buffer.from('a secret of 24 bytes....').toString('base64')}`;
const otherSecret = `whsec_${Buffer.from('another one of 24 bytes.').toString('base64')}`;

const event: LipsyncWebhook = {
  type: 'lipsync.completed',
  timestamp: '2026-01-31T12:34:56.789Z',
  data: {
    id: 'a lip-sync',
    reference: 'Größe 17',
    status: 'COMPLETED',
    sequence: 4,
    result: { url: 'https://media.example.com/1.mp4', durationSeconds: 2.5 },
    failure: null,
  },
};
const body = JSON.stringify(event);

/** Signed as the server does it, by the library of Standard Webhooks. */
function sign(secrets: string[], { text = body, sentAt = new Date() } = {}) {
  const signatures = secrets.map((each) => new Webhook(each).sign('delivery-1', sentAt, text));
  return {
    'webhook-id': 'delivery-1',
    'webhook-timestamp': `${Math.floor(sentAt.getTime() / 1_000)}`,
    'webhook-signature': signatures.join(' '),
  };
}

afterEach(() => {
  vi.useRealTimers();
});

describe('works', () => {
  test('a fetch request, with headers and body apart, as text or bytes', async () => {
    const headers = sign([secret]);
    const expected = { ...event, id: 'delivery-1' };
    const request = new Request('https://app.example/hook', { method: 'POST', headers, body });
    expect(await verifyWebhook(request, secret)).toEqual(expected);
    expect(await verifyWebhook({ headers, body }, secret)).toEqual(expected);
    expect(await verifyWebhook({ headers, body: Buffer.from(body) }, secret)).toEqual(expected);
  });

  test('headers as other servers have them: in capitals, in lists, and of another class', async () => {
    const signed = Object.entries(sign([secret]));
    const shapes = [
      Object.fromEntries(signed.map(([name, value]) => [name.toUpperCase(), value])),
      Object.fromEntries(signed.map(([name, value]) => [name, [value]])),
      { get: (name: string) => new Headers(signed).get(name) } as Headers,
    ];
    for (const headers of shapes) {
      expect(await verifyWebhook({ headers, body }, secret)).toMatchObject({ id: 'delivery-1' });
    }
  });

  test('during a rotation: either secret, and a webhook with two signatures', async () => {
    const byOld = { headers: sign([secret]), body };
    expect(await verifyWebhook(byOld, [otherSecret, secret])).toMatchObject({ id: 'delivery-1' });
    const byBoth = { headers: sign([otherSecret, secret]), body };
    expect(await verifyWebhook(byBoth, secret)).toMatchObject({ id: 'delivery-1' });
  });

  test('a webhook that is as old as the tolerance', async () => {
    vi.useFakeTimers({ now: 1_800_000_000_000, toFake: ['Date'] });
    const headers = sign([secret], { sentAt: new Date(Date.now() - 300_000) });
    await verifyWebhook({ headers, body }, secret);
    const older = sign([secret], { sentAt: new Date(Date.now() - 900_000) });
    await verifyWebhook({ headers: older, body }, secret, { toleranceSeconds: 900 });
  });
});

describe('refuses', () => {
  test.each([
    ['another secret', { headers: sign([otherSecret]), body }, 'WRONG_SIGNATURE'],
    ['a changed body', { headers: sign([secret]), body: `${body} ` }, 'WRONG_SIGNATURE'],
    [
      'another id',
      { headers: { ...sign([secret]), 'webhook-id': 'delivery-2' }, body },
      'WRONG_SIGNATURE',
    ],
    [
      'no signature of version 1',
      { headers: { ...sign([secret]), 'webhook-signature': 'v1a,AAAA v1,?' }, body },
      'WRONG_SIGNATURE',
    ],
    ['no headers', { headers: {}, body }, 'INVALID_HEADERS'],
    [
      'a timestamp that is not a number',
      { headers: { ...sign([secret]), 'webhook-timestamp': '1e9' }, body },
      'INVALID_HEADERS',
    ],
    [
      'an old webhook',
      { headers: sign([secret], { sentAt: new Date(1_000_000_000_000) }), body },
      'TIMESTAMP_TOO_FAR',
    ],
    [
      'a webhook from the future',
      { headers: sign([secret], { sentAt: new Date(Date.now() + 3_600_000) }), body },
      'TIMESTAMP_TOO_FAR',
    ],
    [
      'a body that is not an event',
      { headers: sign([secret], { text: 'hello' }), body: 'hello' },
      'INVALID_BODY',
    ],
  ])('%s', async (_, request, code) => {
    await expect(verifyWebhook(request, secret)).rejects.toMatchObject({
      name: 'WebhookVerificationError',
      code,
    });
  });

  // `request.body` of Express has no type. It was once read as no bytes at all, and the signature was wrong.
  test.each([
    ['an object', JSON.parse(body)],
    ['nothing', undefined],
  ])('a body that a parser has made %s of', async (_, parsed) => {
    const request = { headers: sign([secret]), body: parsed };
    await expect(verifyWebhook(request, secret)).rejects.toThrow('Pass the raw body');
  });

  test('two values of a header', async () => {
    const headers = { ...sign([secret]), 'webhook-id': ['delivery-1', 'delivery-1'] };
    await expect(verifyWebhook({ headers, body }, secret)).rejects.toMatchObject({
      code: 'INVALID_HEADERS',
    });
  });

  test('an invalid secret, whatever the request', async () => {
    const request = { headers: sign([secret]), body };
    await expect(verifyWebhook(request, 'whsec_?')).rejects.toThrow(TypeError);
    await expect(verifyWebhook(request, '')).rejects.toThrow(TypeError);
  });
});
