import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parseApiKeyFile } from '../src/config/api-keys.ts';
import { ConfigError } from '../src/config/error.ts';
import { publicUrlAt } from '../src/config/public-url.ts';
import { variableNames } from '../src/config/variables.ts';
import { readConfig } from '../src/config.ts';
import { scopes } from '../src/graphql/context.ts';
import { createLog, logLevels } from '../src/log.ts';
import { createAuthenticator } from '../src/server/auth/authenticate.ts';

const hash = (key: string) => createHash('sha256').update(key).digest('hex');

const folder = mkdtempSync(join(tmpdir(), 'lipsync-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Writes a file. @returns its path */
function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const keysFile = file('keys.txt', `file:${hash('f')}:admin`);
const documentsFile = file('documents.json', '{ "viewer": "{ viewer { name } }" }');
const pricesFile = file(
  'credits.json',
  '[{ "speech": "TEXT", "upToSeconds": 10, "credits": 7.5 }]',
);
const live = { USEAPI_TOKEN: 'user:1-secret', ALLOW_ANONYMOUS: 'true' };

function problemsOf(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('works', () => {
  test('without variables it is an open sandbox on port 4000 with GraphiQL, as in the README', () => {
    expect(readConfig({})).toEqual({
      mode: 'sandbox',
      logLevel: 'info',
      tracing: null,
      server: {
        host: '127.0.0.1',
        port: 4000,
        publicUrl: 'http://127.0.0.1:4000',
        publicUrlIsLoopback: true,
        graphiql: true,
        mcp: true,
        introspection: 'everyone',
        corsOrigins: [],
        allowedHosts: ['127.0.0.1'],
        metricsTokens: null,
        permanentUrls: true,
        trustedDocuments: null,
      },
      auth: {
        allowAnonymous: true,
        anonymousIsAdmin: true,
        jwksUrl: null,
        jwtSecrets: null,
        issuer: null,
        audience: null,
        allowsNoExpiry: false,
        apiKeys: [],
        apiKeysFile: null,
      },
      callbackSecrets: null,
      upstream: { token: null, baseUrl: 'https://api.useapi.net/v2/pixverse', timeoutMs: 30_000 },
      sandboxPort: null,
      database: { url: null, dataDir: resolve('.data') },
      limits: {
        costPerMinute: null,
        lipsyncsPerDay: null,
        lipsyncsInFlight: null,
        streamsPerCaller: null,
        queueLimit: 10_000,
      },
      imports: { maxBytes: 5 * 1024 ** 3, timeoutMs: 300_000 },
      outboundAllowedNetworks: ['127.0.0.0/8', '::1', 'localhost'],
      creditPrices: null,
      timing: {
        pollIntervalMs: 15_000,
        readFreshMs: 5_000,
        maxUnknownMs: 600_000,
        maxJobMs: 7_200_000,
        retentionDays: 30,
      },
    });
  });

  test('USEAPI_TOKEN selects live mode, without anonymous callers and GraphiQL', () => {
    const config = readConfig({ USEAPI_TOKEN: 'user:1-secret', AUTH_JWT_SECRET: 's'.repeat(32) });
    expect(config.mode).toBe('live');
    expect(config.upstream.token).toBe('user:1-secret');
    expect(config.auth).toMatchObject({ allowAnonymous: false, anonymousIsAdmin: false });
    expect(config.server).toMatchObject({
      graphiql: false,
      mcp: false,
      introspection: 'authenticated',
    });
  });

  test('API_KEYS_FILE satisfies the required authentication of live mode', () => {
    const API_KEYS_FILE = relative('.', keysFile);
    const config = readConfig({ USEAPI_TOKEN: 'user:1-secret', API_KEYS_FILE });
    expect(config.auth).toMatchObject({ allowAnonymous: false, apiKeysFile: keysFile });
  });

  test('live with ALLOW_ANONYMOUS=true allows introspection to all and gives no caller the admin scope', () => {
    const config = readConfig(live);
    expect(config.auth).toMatchObject({ allowAnonymous: true, anonymousIsAdmin: false });
    expect(config.server.introspection).toBe('everyone');
  });

  test.each([
    ['true', 'everyone'],
    ['authenticated', 'authenticated'],
    ['false', 'none'],
  ])('INTROSPECTION=%s allows introspection to %s', (INTROSPECTION, access) => {
    expect(readConfig({ INTROSPECTION }).server.introspection).toBe(access);
    expect(readConfig({ ...live, INTROSPECTION }).server.introspection).toBe(access);
  });

  test('NODE_ENV=production runs the sandbox with SANDBOX=true', () => {
    expect(readConfig({ NODE_ENV: 'production', SANDBOX: 'true' }).mode).toBe('sandbox');
    expect(readConfig({ NODE_ENV: 'production', ...live }).mode).toBe('live');
  });

  test.each([
    [{}, 'http://127.0.0.1:4000', true],
    [{ PORT: '80' }, 'http://127.0.0.1', true],
    [{ HOST: '0.0.0.0' }, 'http://127.0.0.1:4000', true],
    [{ HOST: '::' }, 'http://127.0.0.1:4000', true],
    [{ HOST: '::1' }, 'http://[::1]:4000', true],
    [{ HOST: 'localhost' }, 'http://localhost:4000', true],
    [{ HOST: '10.0.0.7' }, 'http://10.0.0.7:4000', false],
    [{ HOST: '2001:db8::7' }, 'http://[2001:db8::7]:4000', false],
    [{ PUBLIC_URL: 'https://api.example.com' }, 'https://api.example.com', false],
    [{ PUBLIC_URL: 'https://example.com:443/lip/sync//' }, 'https://example.com/lip/sync', false],
    [{ PUBLIC_URL: 'http://127.9.9.9:1' }, 'http://127.9.9.9:1', true],
    [{ PUBLIC_URL: 'http://127.example.com' }, 'http://127.example.com', false],
    [{ PUBLIC_URL: 'http://app.localhost' }, 'http://app.localhost', true],
    [{ PUBLIC_URL: 'http://mylocalhost' }, 'http://mylocalhost', false],
    [{ PUBLIC_URL: 'http://[::ffff:127.0.0.1]' }, 'http://[::ffff:7f00:1]', true],
    [{ PORT: '0', PUBLIC_URL: 'https://a.example' }, 'https://a.example', false],
  ])('%o is reached at %s', (env, publicUrl, publicUrlIsLoopback) => {
    expect(readConfig(env).server).toMatchObject({ publicUrl, publicUrlIsLoopback });
  });

  test('PORT=0 leaves the public URL unknown until the server listens', () => {
    const { server } = readConfig({ PORT: '0', HOST: '::' });
    expect(server).toMatchObject({ port: 0, publicUrl: null, publicUrlIsLoopback: true });
    expect(publicUrlAt(server.host, 51_234)).toBe('http://127.0.0.1:51234');
  });

  test('an empty value counts as unset, and white space around a value is removed', () => {
    const empty = Object.fromEntries(variableNames.map((name) => [name, '  ']));
    expect(readConfig(empty)).toEqual(readConfig({}));
    expect(readConfig({ PORT: ' 4100\r' }).server.port).toBe(4100);
  });

  test('lists are comma-separated', () => {
    const config = readConfig({
      API_KEYS: `web:${hash('a').toUpperCase()}:lipsync:read lipsync:write, ops.2:${hash('b')}:admin,`,
      CALLBACK_SECRET: `${'n'.repeat(16)}, ${'o'.repeat(16)}`,
      CORS_ORIGINS: 'https://App.example.com/, http://localhost:5173',
    });
    expect(config.auth.apiKeys).toEqual([
      { name: 'web', sha256: hash('a'), scopes: ['lipsync:read', 'lipsync:write'] },
      { name: 'ops.2', sha256: hash('b'), scopes: ['admin'] },
    ]);
    expect(config.callbackSecrets).toEqual(['n'.repeat(16), 'o'.repeat(16)]);
    expect(config.server.corsOrigins).toEqual(['https://app.example.com', 'http://localhost:5173']);
  });

  test('traces are sent below the endpoint or to the whole URL, as OpenTelemetry’s variables say', () => {
    const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/' };
    expect(readConfig(endpoint).tracing).toEqual({
      url: 'http://collector:4318/v1/traces',
      protocol: 'http/protobuf',
      sampler: 'parentbased_always_on',
      samplerRatio: 1,
      batch: {
        maxQueueSize: 2_048,
        maxExportBatchSize: 512,
        scheduledDelayMillis: 5_000,
        exportTimeoutMillis: 30_000,
      },
    });
    const whole = { ...endpoint, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://other/spans' };
    expect(readConfig({ ...whole, OTEL_TRACES_SAMPLER_ARG: '0.25' }).tracing).toMatchObject({
      url: 'http://other/spans',
      samplerRatio: 0.25,
    });
    expect(readConfig({ ...whole, OTEL_SDK_DISABLED: 'true' }).tracing).toBeNull();
  });

  test('all other variables are read', () => {
    const config = readConfig({
      ...live,
      USEAPI_BASE_URL: 'http://127.0.0.1:9/v2/',
      DATABASE_URL: 'postgresql://me:pw@db/lipsync',
      DATA_DIR: '/var/lib/lipsync',
      SANDBOX_PORT: '4567',
      AUTH_JWKS_URL: 'https://id.example.com/keys?tenant=1',
      AUTH_ISSUER: 'https://id.example.com/',
      AUTH_AUDIENCE: 'lipsync',
      API_KEYS_FILE: keysFile,
      TRUSTED_DOCUMENTS: relative('.', documentsFile),
      CREDIT_PRICES: relative('.', pricesFile),
      GRAPHIQL: '1',
      COST_PER_MINUTE: '1',
      LIPSYNCS_PER_DAY: '2',
      LIPSYNCS_IN_FLIGHT: '3',
      STREAMS_PER_CALLER: '4',
      QUEUE_LIMIT: '5',
      POLL_INTERVAL_MS: '6',
      READ_FRESH_MS: '0',
      UPSTREAM_TIMEOUT_MS: '7',
      MAX_UNKNOWN_MS: '10',
      MAX_JOB_MS: '8',
      RETENTION_DAYS: '9',
      LOG_LEVEL: 'debug',
    });
    expect(config).toMatchObject({
      logLevel: 'debug',
      upstream: { baseUrl: 'http://127.0.0.1:9/v2', timeoutMs: 7 },
      database: { url: 'postgresql://me:pw@db/lipsync', dataDir: '/var/lib/lipsync' },
      sandboxPort: 4567,
      auth: {
        jwksUrl: 'https://id.example.com/keys?tenant=1',
        issuer: 'https://id.example.com/',
        audience: 'lipsync',
        apiKeysFile: keysFile,
      },
      server: { trustedDocuments: { viewer: '{ viewer { name } }' }, graphiql: true },
      limits: {
        costPerMinute: 1,
        lipsyncsPerDay: 2,
        lipsyncsInFlight: 3,
        streamsPerCaller: 4,
        queueLimit: 5,
      },
      creditPrices: [{ speech: 'TEXT', upToSeconds: 10, credits: 7.5 }],
      timing: {
        pollIntervalMs: 6,
        readFreshMs: 0,
        maxUnknownMs: 10,
        maxJobMs: 8,
        retentionDays: 9,
      },
    });
  });

  test('it matches the log levels and scopes, which it repeats because it cannot import them', async () => {
    for (const LOG_LEVEL of logLevels) expect(readConfig({ LOG_LEVEL }).logLevel).toBe(LOG_LEVEL);
    const config = readConfig({
      LOG_LEVEL: 'silent',
      API_KEYS: `all:${hash('k')}:${scopes.join(' ')}`,
    });
    const authenticate = createAuthenticator({ ...config.auth, log: createLog(config.logLevel) });
    expect([...(await authenticate('Bearer k')).scopes]).toEqual([...scopes]);
  });
});

describe('a file of API keys', () => {
  const line = (name: string, key = name, scopes = 'lipsync:read') =>
    `${name}:${hash(key)}:${scopes}`;
  const namesIn = (text: string) => parseApiKeyFile(text, []).map(({ name }) => name);

  test.each([
    [`${line('web')}\n${line('ops')}\n`, ['web', 'ops']],
    [`${line('web')},${line('ops')}`, ['web', 'ops']],
    [`# the keys\r\n${line('web')} # the web\r\n\r\n,${line('ops')},\r\n`, ['web', 'ops']],
    [`\ufeff${line('web')}`, ['web']],
    [`# ${line('web')}\n`, []],
    ['', []],
    // A key and its successor.
    [`${line('web')}\n${line('web', 'x')}`, ['web', 'web']],
  ])('%j', (text, names) => {
    expect(namesIn(text)).toEqual(names);
  });

  test.each([
    [`${line('web')}\nweb:hunter2:admin`, 'API_KEYS_FILE entry 2 must be name:'],
    [
      line('web', 'web', 'lipsync:read hunter2'),
      'API_KEYS_FILE entry 1 must contain only the scopes',
    ],
    [`${line('web')}\n${line('ops', 'web')}`, 'API_KEYS_FILE contains a key twice'],
    [line('x', 'env'), 'API_KEYS_FILE contains a key of API_KEYS'],
  ])('rejects the whole value, and repeats no part of it: %j', (text, problem) => {
    const { apiKeys } = readConfig({ API_KEYS: line('env') }).auth;
    expect(() => parseApiKeyFile(text, apiKeys)).toThrow(problem);
    expect(() => parseApiKeyFile(text, apiKeys)).not.toThrow(/hunter2|[0-9a-f]{64}/);
  });
});

describe('refuses', () => {
  test('all invalid variables together, each with its name', () => {
    const problems = problemsOf({
      PORT: '70000',
      QUEUE_LIMIT: '0',
      LOG_LEVEL: 'loud',
      SANDBOX: 'no',
    });
    expect(problems).toEqual([
      'PORT must be a whole number from 0 to 65535',
      'SANDBOX must be one of true, false, 1, 0',
      'QUEUE_LIMIT must be a whole number from 1 to 2147483647',
      'LOG_LEVEL must be one of fatal, error, warn, info, debug, trace, silent',
    ]);
    expect(new ConfigError(problems).message.split('\n')).toHaveLength(5);
  });

  test('contradicting values, also together with invalid values', () => {
    const problems = problemsOf({ PORT: 'x', AUTH_JWKS_URL: 'https://id.example.com/keys' });
    expect(problems).toEqual([
      'PORT must be a whole number from 0 to 65535',
      'AUTH_ISSUER is required with AUTH_JWKS_URL',
      'AUTH_AUDIENCE is required with AUTH_JWKS_URL',
    ]);
  });

  test('a variable of an earlier version, with its new name', () => {
    expect(problemsOf({ WEBHOOK_ALLOWED_NETWORKS: '10.0.0.0/8' })).toEqual([
      'WEBHOOK_ALLOWED_NETWORKS is now called OUTBOUND_ALLOWED_NETWORKS: rename it',
    ]);
    expect(problemsOf({ WEBHOOK_ALLOWED_NETWORKS: ' ' })).toEqual([]);
  });

  test('every mistake in the table of prices', () => {
    const table = [{ credits: 20 }, { credits: -1, speech: 'SONG' }, 7, { price: 1, credits: '2' }];
    expect(problemsOf({ CREDIT_PRICES: file('prices.json', JSON.stringify(table)) })).toEqual([
      'CREDIT_PRICES entry 2 speech must be TEXT or AUDIO',
      'CREDIT_PRICES entry 2 credits must be a number from 0',
      'CREDIT_PRICES entry 3 must be an object with credits',
      'CREDIT_PRICES entry 4 credits must be a number from 0',
      'CREDIT_PRICES entry 4 can have only speech, offPeak, upToSeconds, credits and creditsPerSecond',
    ]);
  });

  test('invalid files, together with all other problems', () => {
    const problems = problemsOf({
      PORT: 'x',
      TRUSTED_DOCUMENTS: file('half.json', '{ "a": "{ viewer { name } }"'),
      API_KEYS: `env:${hash('e')}:admin`,
      API_KEYS_FILE: file('wrong.txt', 'web:hunter2:admin'),
    });
    expect(problems).toEqual([
      'PORT must be a whole number from 0 to 65535',
      "TRUSTED_DOCUMENTS must be the path of a JSON object from document ids to documents, as Relay's compiler writes it, or of Apollo's manifest of persisted queries",
      'API_KEYS_FILE entry 1 must be name:sha256-of-the-key-in-hex:scope scope',
    ]);
  });

  test.each([
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, /^OTEL_EXPORTER_OTLP_PROTOCOL must be one of/],
    [{ OTEL_TRACES_SAMPLER_ARG: '1.5' }, /^OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1/],
    [{ TRUSTED_DOCUMENTS: join(folder, 'nowhere.json') }, /^TRUSTED_DOCUMENTS must/],
    [{ TRUSTED_DOCUMENTS: folder }, /^TRUSTED_DOCUMENTS must/],
    [{ TRUSTED_DOCUMENTS: file('list.json', '["{ a }"]') }, /^TRUSTED_DOCUMENTS must/],
    [{ TRUSTED_DOCUMENTS: file('numbers.json', '{ "a": 1 }') }, /^TRUSTED_DOCUMENTS must/],
    [
      { TRUSTED_DOCUMENTS: file('broken.json', '{ "a": "{ nope" }') },
      /^TRUSTED_DOCUMENTS contains/,
    ],
    [{ CREDIT_PRICES: join(folder, 'nowhere.json') }, /^CREDIT_PRICES must/],
    [{ CREDIT_PRICES: file('no-prices.json', '[]') }, /^CREDIT_PRICES must/],
    [{ DATA_DIR: file('no-folder', '') }, /^DATA_DIR must be a folder/],
    [{ API_KEYS_FILE: join(folder, 'nowhere.txt') }, /^API_KEYS_FILE must/],
    [{ API_KEYS_FILE: keysFile, API_KEYS: `x:${hash('f')}:admin` }, /^API_KEYS_FILE contains/],
    [{ NODE_ENV: 'production' }, /^USEAPI_TOKEN is required with NODE_ENV=production/],
    [{ SANDBOX: 'false' }, /^SANDBOX=false requires USEAPI_TOKEN/],
    [{ NODE_ENV: 'production', SANDBOX: 'false' }, /^SANDBOX=false requires USEAPI_TOKEN/],
    [{ ...live, SANDBOX: 'true' }, /^SANDBOX=true cannot be combined with USEAPI_TOKEN/],
    [{ USEAPI_TOKEN: 't' }, /ALLOW_ANONYMOUS=true/],
    [{ USEAPI_TOKEN: 't', ALLOW_ANONYMOUS: 'false' }, /ALLOW_ANONYMOUS=true/],
    [{ ...live, USEAPI_TOKEN: 'Bearer t' }, /^USEAPI_TOKEN must/],
    [{ AUTH_JWT_SECRET: 'é'.repeat(15) }, /^AUTH_JWT_SECRET must .* at least 32 bytes/],
    [{ AUTH_JWT_SECRET: `${'n'.repeat(32)},short` }, /^AUTH_JWT_SECRET must/],
    [{ CALLBACK_SECRET: `${'n'.repeat(16)},short` }, /^CALLBACK_SECRET must/],
    [{ CALLBACK_SECRET: ',' }, /^CALLBACK_SECRET must/],
    [{ DATABASE_URL: 'mysql://db' }, /^DATABASE_URL must/],
    [{ HOST: 'http://localhost' }, /^HOST must/],
    [{ PUBLIC_URL: 'ftp://example.com' }, /^PUBLIC_URL must/],
    [{ PUBLIC_URL: 'example.com:4000' }, /^PUBLIC_URL must/],
    [{ PUBLIC_URL: 'https://a:b@example.com' }, /^PUBLIC_URL must/],
    [{ PUBLIC_URL: 'https://example.com/?a=1' }, /^PUBLIC_URL must/],
    [{ PUBLIC_URL: 'https://example.com/#a' }, /^PUBLIC_URL must/],
    [{ CORS_ORIGINS: '*' }, /^CORS_ORIGINS must/],
    [{ CORS_ORIGINS: 'https://example.com/app' }, /^CORS_ORIGINS must/],
    [{ ALLOWED_HOSTS: 'lipsync.local:4000' }, /^ALLOWED_HOSTS must/],
    [{ ALLOWED_HOSTS: 'https://lipsync.local' }, /^ALLOWED_HOSTS must/],
    [{ ALLOWED_HOSTS: '*' }, /^ALLOWED_HOSTS must/],
    [{ METRICS_TOKEN: 'Bearer t' }, /^METRICS_TOKEN must/],
    [{ METRICS_TOKEN: ',' }, /^METRICS_TOKEN must/],
    [{ AUTH_ALLOW_NO_EXPIRY: 'yes' }, /^AUTH_ALLOW_NO_EXPIRY must/],
    [{ POLL_INTERVAL_MS: '1.5' }, /^POLL_INTERVAL_MS must/],
    [{ POLL_INTERVAL_MS: '1e3' }, /^POLL_INTERVAL_MS must/],
    [{ MAX_JOB_MS: '2147483648' }, /^MAX_JOB_MS must/],
    [{ MAX_UNKNOWN_MS: '0' }, /^MAX_UNKNOWN_MS must/],
    [{ RETENTION_DAYS: '36501' }, /^RETENTION_DAYS must/],
    [{ STREAMS_PER_CALLER: '0' }, /^STREAMS_PER_CALLER must/],
    [{ INTROSPECTION: 'yes' }, /^INTROSPECTION must/],
    [{ API_KEYS: ',' }, /^API_KEYS must contain at least one key/],
    [{ API_KEYS: `a:${hash('a')}:admin,b:${hash('b')}:` }, /^API_KEYS entry 2 must be name:/],
    [{ API_KEYS: `a:${hash('a')}:admin root` }, /^API_KEYS entry 1 must contain only the scopes/],
    [{ API_KEYS: `a:${hash('a')}:admin:x` }, /^API_KEYS entry 1 must contain only the scopes/],
    [{ API_KEYS: `a/b:${hash('a')}:admin` }, /^API_KEYS entry 1 must be name:/],
    [{ API_KEYS: `a:${hash('a')}:admin,b:${hash('a')}:admin` }, /^API_KEYS contains a key twice/],
  ])('%o', (env, problem) => {
    expect(problemsOf(env)).toEqual([expect.stringMatching(problem)]);
  });
});

describe('keeps out', () => {
  // Any text is valid for NODE_ENV.
  test.each(variableNames.filter((name) => name !== 'NODE_ENV'))(
    'the value of %s from the message',
    (name) => {
      const secret = 'hunter2:p w#?';
      const env = { USEAPI_TOKEN: 'user:1-quiet', [name]: `${secret},${secret}` };
      const { message, problems } = new ConfigError(problemsOf(env));
      expect(problems.length).toBeGreaterThan(0);
      expect(message).not.toMatch(/hunter2|p w#|quiet/);
    },
  );
});
