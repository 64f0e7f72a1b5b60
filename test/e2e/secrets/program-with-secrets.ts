import { createHash, randomBytes } from 'node:crypto';
import { SignJWT } from 'jose';
import { connectDatabase } from '../../../src/database/connect.ts';
import { openReceiver } from '../../domains/webhooks/webhook-receiver.ts';
import { silentLog } from '../../support/database.ts';
import { type FakeUpstream, startFakeUpstream } from '../../support/fake-upstream/server.ts';
import { openFileServer, sendFile } from '../../support/file-server.ts';
import { type Collector, startCollector } from '../../support/otlp-collector.ts';
import { type PostgresServer, startPostgres } from '../../support/postgres.ts';
import { startProgram } from '../../support/program.ts';
import { wavHeader } from '../../support/wav.ts';

const random = () => randomBytes(12).toString('base64url');

export const audio = Buffer.concat([wavHeader(16_000), Buffer.alloc(16_000)]);

/** With characters that encodings change. */
export const given = {
  jwtSecret: `jwt+secret/of=enough~bytes ${random()}`,
  callbackSecret: `callback+secret/new=${random()}`,
  oldCallbackSecret: `callback+secret/old=${random()}`,
  readerKey: `reader+key/${random()}=`,
  writerKey: `writer+key/${random()}=`,
  adminKey: `admin+key/${random()}=`,
  strangerKey: `stranger+key/${random()}=`,
  databasePassword: `db+pass/${random()}=?&`,
  accountPassword: `pixverse "pass" ${random()}; and long`,
  collectorToken: `collector-token-${random()}`,
  hookKey: `hook-key-${random()}`,
  importSignature: `import-signature-${random()}`,
  text: `Nobody may read this text, ${random()}.`,
};

/** One account for each failure that pauses an account, and one that stays active. */
export const emails = Array.from({ length: 16 }, (_, at) => `box-${at}+sync@studio.example`);

const scopes = 'lipsync:read lipsync:write videos:read videos:write';
const issuer = 'https://id.callers.example';
export const subject = 'ann+caller@callers.example';

/** The whole program as a process, with every secret that its configuration accepts. */
export type SecretsSetup = Awaited<ReturnType<typeof openSetup>>;

export async function openSetup() {
  const server = await startPostgres();
  const upstream = await startFakeUpstream({
    accounts: emails.map((email) => ({ email, maxJobs: 3 })),
    callbacks: 'twice',
  });
  for (const email of emails) upstream.addVideo(email, `video of ${emails.indexOf(email)}`);
  const receiver = await openReceiver();
  const collector = await startCollector();
  const files = await openFileServer({ '/speech.wav': sendFile(audio) });
  const databaseUrl = await createRole(server);
  const program = startProgram({
    ...environment(databaseUrl, upstream),
    ...sendTraces(collector),
  });
  const url = await program.url();
  return {
    ...{ server, upstream, receiver, collector, files, databaseUrl, program, url },
    jwt: await signJwt({ scope: scopes }, given.jwtSecret),
    expiredJwt: await signJwt({ scope: scopes, exp: 1_000_000_000 }, given.jwtSecret),
    forgedJwt: await signJwt({ scope: `${scopes} admin` }, `${given.jwtSecret}, but another one`),
    async close() {
      await program.kill('SIGTERM');
      receiver.close();
      files.close();
      await collector.close();
      await upstream.close();
      await server.remove();
    },
  };
}

/** All spans of the session are sent together, when the process stops. */
function sendTraces({ url }: Collector): Record<string, string> {
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: url,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=${given.collectorToken}`,
    OTEL_BSP_SCHEDULE_DELAY: '600000',
    OTEL_BSP_MAX_QUEUE_SIZE: '100000',
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '100000',
  };
}

async function createRole(server: PostgresServer): Promise<string> {
  const url = new URL(await server.createDatabase());
  const name = url.pathname.slice(1);
  const password = given.databasePassword;
  await asAdmin(server, `create role gateway login password '${password}'`);
  await asAdmin(server, `alter database ${name} owner to gateway`);
  url.username = 'gateway';
  url.password = encodeURIComponent(password);
  return url.href;
}

export async function asAdmin(server: PostgresServer, sql: string): Promise<void> {
  const db = await connectDatabase({ url: server.adminUrl, dataDir: '', log: silentLog });
  await db.query(sql);
  await db.close();
}

export function environment(databaseUrl: string, upstream: FakeUpstream): Record<string, string> {
  const key = (name: string, value: string, granted: string) =>
    `${name}:${createHash('sha256').update(value).digest('hex')}:${granted}`;
  return {
    PORT: '0',
    LOG_LEVEL: 'trace',
    POLL_INTERVAL_MS: '300',
    // Every answer and failure of the upstream is searched: no cached list replaces one.
    READ_FRESH_MS: '0',
    UPSTREAM_TIMEOUT_MS: '5000',
    USEAPI_TOKEN: upstream.token,
    USEAPI_BASE_URL: upstream.baseUrl,
    DATABASE_URL: databaseUrl,
    AUTH_JWT_SECRET: given.jwtSecret,
    AUTH_ISSUER: issuer,
    API_KEYS: [
      key('reader', given.readerKey, 'lipsync:read'),
      key('writer', given.writerKey, scopes),
      key('admin', given.adminKey, `${scopes} admin`),
    ].join(),
    CALLBACK_SECRET: `${given.callbackSecret},${given.oldCallbackSecret}`,
    OUTBOUND_ALLOWED_NETWORKS: '127.0.0.1',
    MCP: 'true',
  };
}

function signJwt(claims: Record<string, unknown>, secret: string): Promise<string> {
  return new SignJWT({ iss: issuer, sub: subject, exp: 4_000_000_000, ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(secret));
}
