import { z } from 'zod';
import { apiKeys } from './api-keys.ts';
import { creditPrices } from './credit-prices.ts';
import { publicUrlAt } from './public-url.ts';
import {
  baseUrl,
  bearerTokens,
  boolean,
  documents,
  folder,
  hosts,
  isHttpUrl,
  networks,
  oneOf,
  origins,
  path,
  secretsOf,
  wholeNumber,
} from './shapes.ts';
import { tracingVariables } from './tracing.ts';

const introspectionAccess = {
  true: 'everyone',
  authenticated: 'authenticated',
  false: 'none',
} as const;

const isHost = (host: string) => /^[\w.:-]+$/.test(host) && URL.canParse(publicUrlAt(host, 1));

/** Every variable that is read. An empty variable counts as unset, and white space around a value is removed. */
export const variables = z.object({
  /** With `production` a missing `USEAPI_TOKEN` is an error; otherwise it selects the sandbox. Default: unset. */
  NODE_ENV: z.string().nullable().default(null),
  /** IP address or host name to listen on. Default: 127.0.0.1, which only this machine can reach. */
  HOST: z.string().refine(isHost, 'must be a host name or an IP address').default('127.0.0.1'),
  /** Port to listen on, 0 to 65535; 0 selects a free port. Default: 4000. */
  PORT: wholeNumber(0, 65535).default(4000),
  /** The http(s) URL under which the upstream and browsers reach this server, including a path prefix. Default: `http://HOST:PORT`, with 127.0.0.1 for 0.0.0.0. */
  PUBLIC_URL: baseUrl.nullable().default(null),
  /** The useapi.net API token (https://useapi.net/docs/start-here/setup-useapi). Default: unset, which selects the sandbox. */
  USEAPI_TOKEN: z
    .string()
    .regex(/^[!-~]+$/, 'must be the token alone: ASCII characters without spaces')
    .nullable()
    .default(null),
  /** The http(s) base URL of the upstream; ignored in the sandbox. Default: https://api.useapi.net/v2/pixverse. */
  USEAPI_BASE_URL: baseUrl.default('https://api.useapi.net/v2/pixverse'),
  /** `true` allows the sandbox with NODE_ENV=production; `false` forbids it always. Default: unset. */
  SANDBOX: boolean.nullable().default(null),
  /** The loopback port of the sandbox's emulator, 1 to 65535. Default: a free port, which is stored in `DATA_DIR`. */
  SANDBOX_PORT: wholeNumber(1, 65535).nullable().default(null),
  /** `postgres://user:password@host:port/database`, for one or several instances. Default: embedded PGlite in `DATA_DIR`. */
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'must start with postgres:// or postgresql://')
    .nullable()
    .default(null),
  /** The folder of the embedded database and of the sandbox's state. One process at a time can use it. Default: ./.data. */
  DATA_DIR: folder.prefault('./.data'),
  /** Whether a caller without a token can use the API. Default: true in the sandbox, otherwise false. */
  ALLOW_ANONYMOUS: boolean.nullable().default(null),
  /** The http(s) URL of the JSON Web Key Set that verifies JWTs; requires AUTH_ISSUER and AUTH_AUDIENCE. Default: unset. */
  AUTH_JWKS_URL: z.string().refine(isHttpUrl, 'must be an http(s) URL').nullable().default(null),
  /** The `iss` that every JWT must contain, also with AUTH_JWT_SECRET. Default: not checked. */
  AUTH_ISSUER: z.string().nullable().default(null),
  /** The `aud` that every JWT must contain, also with AUTH_JWT_SECRET. Default: not checked. */
  AUTH_AUDIENCE: z.string().nullable().default(null),
  /** Whether a JWT without `exp` is accepted. It is valid as long as its key. Default: false. */
  AUTH_ALLOW_NO_EXPIRY: boolean.default(false),
  /** Comma-separated secrets that verify HS256 JWTs, as UTF-8 text that is not decoded: each of them is tried. At least 32 bytes each (RFC 7518, 3.2). Default: unset. */
  AUTH_JWT_SECRET: secretsOf(32).nullable().default(null),
  /** Comma-separated `name:sha256-of-key-in-hex:scope scope`. A name may occur several times: all of its keys are valid. Scopes: lipsync:read lipsync:write videos:read videos:write admin. Default: none. */
  API_KEYS: apiKeys.default([]),
  /** Path of a file with further keys in the format of API_KEYS, separated by lines or commas, with `#` comments. Reloaded when it changes. Default: unset. */
  API_KEYS_FILE: path.nullable().default(null),
  /** Comma-separated secrets for callback URLs, upload URLs, permanent URLs and stored webhook secrets, at least 16 bytes each. The first signs and encrypts, all verify and decrypt. Default: one is generated and stored in the database. */
  CALLBACK_SECRET: secretsOf(16).nullable().default(null),
  /** Path of a JSON object from document ids to documents, of Relay's persisted queries or of Apollo's manifest of persisted queries. If set, no other document is executed. Default: unset, every document is executed. */
  TRUSTED_DOCUMENTS: documents.nullable().default(null),
  /** Which callers can introspect the schema: true (all), authenticated, false (none). Default: true in the sandbox and with ALLOW_ANONYMOUS, otherwise authenticated. */
  INTROSPECTION: oneOf('true', 'authenticated', 'false')
    .transform((value) => introspectionAccess[value])
    .nullable()
    .default(null),
  /** Whether the server serves GraphiQL to browsers. Default: true in the sandbox, otherwise false. */
  GRAPHIQL: boolean.nullable().default(null),
  /** Whether the server has `/mcp`, where agents find the API as tools of the Model Context Protocol. Default: true in the sandbox, otherwise false. */
  MCP: boolean.nullable().default(null),
  /** Comma-separated origins whose pages can use the API. Default: only the server's own origin. */
  CORS_ORIGINS: origins.default([]),
  /** Comma-separated host names, without ports, to which a server on a loopback HOST answers beside the loopback names, HOST and the host of PUBLIC_URL. Default: none. */
  ALLOWED_HOSTS: hosts.default([]),
  /** Comma-separated bearer tokens, each of which `/metrics` accepts, as ASCII text without spaces. Default: unset, no token is required. */
  METRICS_TOKEN: bearerTokens.nullable().default(null),
  /** The cost of operations, by `@cost` and `@listSize`, that an owner can spend per minute. Default: no limit. */
  COST_PER_MINUTE: wholeNumber().nullable().default(null),
  /** Lip-syncs that an owner can create per day. Default: no limit. */
  LIPSYNCS_PER_DAY: wholeNumber().nullable().default(null),
  /** Unfinished lip-syncs that an owner can have at the same time. Default: no limit. */
  LIPSYNCS_IN_FLIGHT: wholeNumber().nullable().default(null),
  /** Subscriptions that an owner can have open at the same time, over all transports and instances. Default: no limit except an owner's share of the 20000 of a process, which is at most half of them. */
  STREAMS_PER_CALLER: wholeNumber().nullable().default(null),
  /** Lip-syncs of all owners that can wait for the upstream. An owner can add one only while it has fewer waiting lip-syncs than the queue has free places, so one owner fills at most half of the queue. Default: 10000. */
  QUEUE_LIMIT: wholeNumber().default(10_000),
  /** Path of a JSON list of what jobs cost, for estimates and `maxCredits`; `config/credit-prices.ts` has its form. Default: unset, costs are estimated from past jobs. */
  CREDIT_PRICES: creditPrices.nullable().default(null),
  /** Milliseconds between two polls of a running job at the upstream. Default: 15000. */
  POLL_INTERVAL_MS: wholeNumber().default(15_000),
  /** Milliseconds for which lists of the upstream are cached; 0 = no cache. Unless it is 0, voices are cached for at least a minute. Changes through this server are visible at once. Default: 5000. */
  READ_FRESH_MS: wholeNumber(0).default(5_000),
  /** Milliseconds to wait for a response of the upstream. Default: 30000. */
  UPSTREAM_TIMEOUT_MS: wholeNumber().default(30_000),
  /** Whether `Video.permanentUrl` gives URLs of this server that redirect to a video's file. Anyone with the URL can use it. Default: true. */
  PERMANENT_URLS: boolean.default(true),
  /** Milliseconds for which the job of a POST without a clear answer is searched for. The lip-sync fails when they have passed and the scheduler and the list of videos were each read three times, at the latest after MAX_JOB_MS. Default: 600000, ten minutes. */
  MAX_UNKNOWN_MS: wholeNumber().default(600_000),
  /** Milliseconds after which a submitted lip-sync that has not ended fails. Default: 7200000, two hours. */
  MAX_JOB_MS: wholeNumber().default(7_200_000),
  /** Days that a finished lip-sync and its events are kept, 1 to 36500. Default: 30. */
  RETENTION_DAYS: wholeNumber(1, 36_500).default(30),
  /** Comma-separated networks (10.0.0.0/8), IP addresses and host names that webhooks, the callbacks of routers and imports can reach although they are not public. Default: none; this machine in a sandbox without NODE_ENV=production. */
  OUTBOUND_ALLOWED_NETWORKS: networks.nullable().default(null),
  /** The largest file that is fetched from a URL, in bytes, at most 5 GB. Default: 5368709120, 5 GB. */
  IMPORT_MAX_BYTES: wholeNumber(1, 5 * 1024 ** 3).default(5 * 1024 ** 3),
  /** Milliseconds after which the fetching of a file from a URL fails, retries included, up to 86400000. Default: 300000. */
  IMPORT_TIMEOUT_MS: wholeNumber(1, 86_400_000).default(300_000),
  /** The least severe level that is logged to stdout: fatal, error, warn, info, debug, trace, or silent. Default: info. */
  LOG_LEVEL: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent').default('info'),
  ...tracingVariables,
});

export type Variables = z.output<typeof variables>;
export const variableNames = variables.keyof().options;
