import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startProgram } from '../support/program.ts';
import { type Cell, dumpDatabase } from './secrets/dump.ts';
import {
  emails,
  environment,
  given,
  openSetup,
  type SecretsSetup,
  subject,
} from './secrets/program-with-secrets.ts';
import { findSecrets, type Secret, spellingsOf } from './secrets/scan.ts';
import { admin, documents, type Session, writer } from './secrets/session.ts';
import { runSession } from './secrets/steps.ts';

let setup: SecretsSetup;
let session: Session;
let output: string;
let cells: Cell[];
/** Secrets, each for its own recipient alone. */
let secrets: Secret[];
const mails: Secret[] = emails.map((value) => ({ name: 'an e-mail', value }));
const signature = { name: 'the signature in the URL of an import', value: given.importSignature };

beforeAll(async () => {
  setup = await openSetup();
  session = await runSession(setup);
  await setup.program.kill('SIGTERM');
  output = setup.program.output;
  cells = await dumpDatabase(setup.databaseUrl);
  secrets = [
    ...Object.entries(given)
      .filter(([name]) => !['hookKey', 'importSignature', 'text'].includes(name))
      .map(([name, value]) => ({ name, value })),
    { name: 'USEAPI_TOKEN', value: setup.upstream.token },
    { name: 'what is unique in USEAPI_TOKEN', value: setup.upstream.token.split('-').at(-1) ?? '' },
    ...[setup.jwt, setup.expiredJwt, setup.forgedJwt].map((value) => ({
      name: 'the signature of a JWT',
      value: value.split('.').at(-1) ?? '',
    })),
    ...tokensIn(session),
    ...callbackTokens(setup),
    ...webhookSecrets(session),
  ];
}, 120_000);
afterAll(() => setup?.close());

/** Only the last part of a token is secret: the id in it is not. */
function tokensIn({ answers }: Session): Secret[] {
  const urls = answers.flatMap(({ text }) => text.match(/\/uploads\/[\w.-]+/g) ?? []);
  return urls.map((url) => ({ name: 'an upload token', value: url.split('.').at(-1) ?? '' }));
}

function callbackTokens({ upstream }: SecretsSetup): Secret[] {
  const bodies = upstream.requests.map(({ body }) => body.toString('latin1'));
  const urls = bodies.flatMap((body) => body.match(/\/callbacks\/[\w.-]+/g) ?? []);
  return urls.map((url) => ({ name: 'a callback token', value: url.split('.').at(-1) ?? '' }));
}

function webhookSecrets({ answers }: Session): Secret[] {
  const found = answers.flatMap(({ text }) => text.match(/whsec_[\w+/=]+/g) ?? []);
  return found.flatMap((secret) => {
    const bare = secret.slice('whsec_'.length);
    const bytes = Buffer.from(bare, 'base64').toString('latin1');
    return [
      { name: 'a webhook secret', value: bare },
      { name: "a webhook secret's bytes", value: bytes },
    ];
  });
}

describe('the search', () => {
  test('finds each secret in each encoding, at any offset', () => {
    for (const { name, value } of [...secrets, ...mails]) {
      for (const [spelling, needle] of spellingsOf(value)) {
        expect(findSecrets(`before ${needle} after`, [{ name, value }])).toContain(
          `${name}, ${spelling}`,
        );
      }
      for (const before of ['', 'a', 'ab']) {
        const text = Buffer.from(`${before}${value} after`);
        for (const encoding of ['base64', 'base64url', 'hex'] as const) {
          expect(findSecrets(text.toString(encoding), [{ name, value }])).not.toEqual([]);
        }
      }
    }
  });

  test('covers the log, the database and every answer', () => {
    expect(new Set(secrets.map(({ name }) => name)).size).toBe(17);
    expect(setup.program.lines.length).toBeGreaterThan(500);
    for (const level of ['debug', 'info', 'warn', 'error']) {
      expect(
        setup.program.lines.some((line) => line.level === level),
        level,
      ).toBe(true);
    }
    expect(session.answers.length).toBeGreaterThan(250);
    const tables = new Set(cells.map(({ table }) => table));
    for (const table of ['lipsyncs', 'webhook_keys', 'webhook_deliveries', 'uploads', 'accounts']) {
      expect(tables).toContain(`public.${table}`);
    }
    expect([...tables].some((table) => table.startsWith('pgboss.job'))).toBe(true);
    expect(session.answers.map(({ text }) => text).join()).toContain(
      'Something went wrong on our side.',
    );
    expect(output).toContain('unexpected error');
    expect(setup.receiver.received.length).toBeGreaterThan(1);
  });
});

describe('keeps out', () => {
  test('every secret from the output of the program', () => {
    expect(findSecrets(output, secrets)).toEqual([]);
  });

  test("e-mails, callers' subjects, texts and webhook addresses from the output of the program", () => {
    const personal = [
      ...mails,
      { name: 'a subject', value: subject },
      { name: 'a text', value: given.text },
      { name: 'the key in a callbackUrl', value: given.hookKey },
      signature,
    ];
    expect(findSecrets(output, personal)).toEqual([]);
  });

  test('secrets, e-mails, subjects, texts and addresses from the traces, which are sent when the process stops', () => {
    const { collector, upstream } = setup;
    const names = collector.spans.map(({ name }) => name);
    for (const name of [
      'lipsync create',
      'lipsync submit',
      'lipsync event',
      'lipsync stream',
      'webhook attempt',
      'upload import',
      'upload receive',
      'lipsync callback',
    ]) {
      expect(names).toContain(name);
    }
    const sent = collector.bodies.join('\n');
    const personal = [
      ...mails,
      { name: 'a subject', value: subject },
      { name: 'a text', value: given.text },
      { name: 'the key in a callbackUrl', value: given.hookKey },
      signature,
      { name: 'the address of a file', value: new URL(setup.files.url('/')).host },
      { name: 'the address of the upstream', value: new URL(upstream.baseUrl).host },
      { name: 'the address of a receiver', value: new URL(setup.receiver.url).host },
    ];
    expect(findSecrets(sent, [...secrets, ...personal])).toEqual([]);
  });

  test('the traces of callers from the upstream', () => {
    const headers = setup.upstream.requests.flatMap((request) => Object.keys(request.headers));
    expect(headers).toContain('authorization');
    expect(headers.filter((name) => /^(traceparent|tracestate|baggage)$/.test(name))).toEqual([]);
  });

  test('every secret from the database', () => {
    const leaks = cells.flatMap(({ table, column, text }) =>
      findSecrets(text, secrets).map((found) => `${table}.${column}: ${found}`),
    );
    expect(leaks).toEqual([]);
  });

  test('the signature of an import from all columns except the URL that is fetched', () => {
    const found = cells.filter(({ text }) => findSecrets(text, [signature]).length > 0);
    expect(new Set(found.map(({ table, column }) => `${table}.${column}`))).toEqual(
      new Set(['public.uploads.source_url']),
    );
  });

  test('e-mails from all columns except those that requests to the upstream need', () => {
    const found = cells.filter(({ text }) => findSecrets(text, mails).length > 0);
    const columns = new Set(found.map(({ table, column }) => `${table}.${column}`));
    const allowed = [
      'public.accounts.email',
      'public.id_prefixes.prefix',
      'public.lipsyncs.upstream_video_id',
      // Only until the answer to the POST arrives.
      'public.lipsyncs.hinted_video_ids',
    ];
    expect(columns).toContain('public.accounts.email');
    expect([...columns].filter((column) => !allowed.includes(column))).toEqual([]);
  });

  test('every secret from every answer, except the one answer that issues it', () => {
    const owned = (text: string, name: string) =>
      (name === 'an upload token' && text.includes('"uploadUrl"')) ||
      (name.startsWith('a webhook secret') &&
        text.includes('"rotateWebhookSecret":{"__typename":"RotateWebhookSecretSuccess"'));
    const leaks = session.answers.flatMap(({ what, text }) =>
      secrets
        .filter(({ name }) => !owned(text, name))
        .flatMap((secret) => findSecrets(text, [secret]))
        .map((found) => `${what}: ${found}: ${text.slice(0, 600)}`),
    );
    expect(leaks).toEqual([]);
    const given = secrets.filter(
      ({ name }) => name === 'a webhook secret' || name === 'an upload token',
    );
    for (const { value } of given) {
      expect(session.answers.filter(({ text }) => text.includes(value))).toHaveLength(1);
    }
  });

  test('e-mails from every answer to a caller without admin', () => {
    const seen = session.answers.filter(({ text }) => findSecrets(text, mails).length > 0);
    expect(seen.length).toBeGreaterThan(0);
    expect(new Set(seen.map(({ caller }) => caller))).toEqual(new Set([admin]));
  });

  test("callers' secrets from the upstream, and the upstream's secrets from webhook receivers", () => {
    const asked = setup.upstream.requests.map(
      ({ url, headers, body }) => `${url} ${JSON.stringify(headers)} ${body.toString('latin1')}`,
    );
    const ours = [
      ...secrets.filter(({ name }) => !/USEAPI|callback token|accountPassword/.test(name)),
      signature,
    ];
    expect(findSecrets(asked.join('\n'), ours)).toEqual([]);
    const webhooks = JSON.stringify(setup.receiver.received);
    const theirs = secrets.filter(({ name }) => name !== 'a webhook secret');
    expect(findSecrets(webhooks, [...theirs, ...mails])).toEqual([]);
  });

  test('every secret from a start that fails', async () => {
    const wrong = new URL(setup.databaseUrl);
    wrong.password = encodeURIComponent(`${given.databasePassword}, not quite`);
    const values = Object.values(given).join(',');
    const good = environment(setup.databaseUrl, setup.upstream);
    for (const env of [
      { ...good, DATABASE_URL: wrong.href },
      Object.fromEntries(Object.keys(good).map((name) => [name, values])),
    ]) {
      const program = startProgram(env);
      expect((await program.exited).code).toBe(1);
      expect(program.output.length).toBeGreaterThan(20);
      expect(findSecrets(program.output, secrets)).toEqual([]);
    }
  });
});

test('the session used every kind of caller', () => {
  const callers = new Set(session.answers.map(({ caller }) => caller));
  for (const caller of ['anonymous', writer, admin]) expect(callers).toContain(caller);
  expect(Object.keys(documents).length).toBeGreaterThan(8);
});
