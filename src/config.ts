import { readFileSync } from 'node:fs';
import { isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';
import {
  baseUrl,
  boolean,
  documents,
  folder,
  isHttpUrl,
  list,
  networks,
  oneOf,
  origins,
  path,
  secrets,
  wholeNumber,
} from './config-shapes.ts';

const scopes = ['lipsync:read', 'lipsync:write', 'videos:read', 'videos:write', 'admin'] as const;

const readers = { true: 'everyone', authenticated: 'authenticated', false: 'none' } as const;

const apiKey = z
  .string()
  .regex(/^[\w.-]{1,64}:[0-9a-f]{64}:\S/i, 'must be name:sha256-of-the-key-in-hex:scope scope')
  .transform((entry) => {
    const [name = '', sha256 = '', ...granted] = entry.split(':');
    return { name, sha256: sha256.toLowerCase(), scopes: granted.join(':').split(/\s+/) };
  })
  .pipe(
    z.object({
      name: z.string(),
      sha256: z.string(),
      scopes: z.array(z.enum(scopes, { error: `must name scopes out of ${scopes.join(' ')}` })),
    }),
  );

const isDistinct = (values: readonly string[]) => new Set(values).size === values.length;

const distinctKeys = z
  .array(apiKey)
  .refine((keys) => isDistinct(keys.map(({ name }) => name)), 'repeats a name')
  .refine((keys) => isDistinct(keys.map(({ sha256 }) => sha256)), 'repeats a key');

const apiKeys = list.refine((entries) => entries.length > 0, 'must hold a key').pipe(distinctKeys);

const isHost = (host: string) => /^[\w.:-]+$/.test(host) && URL.canParse(publicUrlAt(host, 1));

/** Every variable that is read. An empty one counts as unset, and white space around a value is dropped. */
const variables = z.object({
  /** `production` makes a missing `USEAPI_TOKEN` a mistake instead of a reason for the sandbox. Default: unset. */
  NODE_ENV: z.string().nullable().default(null),
  /** Address or host name to listen on. Default: 127.0.0.1, this machine only. */
  HOST: z.string().refine(isHost, 'must be a host name or an IP address').default('127.0.0.1'),
  /** Port to listen on; 0 takes a free one. Default: 4000. */
  PORT: wholeNumber(0, 65535).default(4000),
  /** How the upstream and browsers reach us, with a path prefix if there is one. Default: `http://HOST:PORT`, 127.0.0.1 for 0.0.0.0. */
  PUBLIC_URL: baseUrl.nullable().default(null),
  /** The token of https://useapi.net/docs/start-here/setup-useapi. Default: unset, which means the sandbox. */
  USEAPI_TOKEN: z
    .string()
    .regex(/^[!-~]+$/, 'must be the bare token: ASCII without spaces')
    .nullable()
    .default(null),
  /** Where the upstream's paths begin; not used in the sandbox. Default: https://api.useapi.net/v2/pixverse. */
  USEAPI_BASE_URL: baseUrl.default('https://api.useapi.net/v2/pixverse'),
  /** `true` accepts the sandbox with NODE_ENV=production; `false` refuses it anywhere. Default: unset. */
  SANDBOX: boolean.nullable().default(null),
  /** The emulator's own loopback port. Default: a free one, remembered in `DATA_DIR`. */
  SANDBOX_PORT: wholeNumber(1, 65535).nullable().default(null),
  /** `postgres://user:password@host:port/database`, for one or many instances. Default: embedded PGlite in `DATA_DIR`. */
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'must begin with postgres:// or postgresql://')
    .nullable()
    .default(null),
  /** Folder of the embedded database and the sandbox's state, of one process at a time. Default: ./.data. */
  DATA_DIR: folder.prefault('./.data'),
  /** Whether a caller without a token may use the API. Default: true in the sandbox, else false. */
  ALLOW_ANONYMOUS: boolean.nullable().default(null),
  /** The JSON Web Key Set that verifies JWTs; needs AUTH_ISSUER and AUTH_AUDIENCE. Default: unset. */
  AUTH_JWKS_URL: z.string().refine(isHttpUrl, 'must be an http(s) URL').nullable().default(null),
  /** The `iss` that every JWT must carry, also one signed with AUTH_JWT_SECRET. Default: not checked. */
  AUTH_ISSUER: z.string().nullable().default(null),
  /** The `aud` that every JWT must carry, also one signed with AUTH_JWT_SECRET. Default: not checked. */
  AUTH_AUDIENCE: z.string().nullable().default(null),
  /** Verifies HS256 JWTs, its UTF-8 bytes taken as they are. At least 32 of them (RFC 7518, 3.2). Default: unset. */
  AUTH_JWT_SECRET: z
    .string()
    .refine((secret) => Buffer.byteLength(secret) >= 32, 'must be at least 32 bytes long')
    .nullable()
    .default(null),
  /** `name:sha256-of-key-in-hex:scope scope,…`. Scopes: lipsync:read lipsync:write videos:read videos:write admin. Default: none. */
  API_KEYS: apiKeys.default([]),
  /** Path of a file of further ones, a line or a comma apart, `#` comments. Read again when it changes. Default: unset. */
  API_KEYS_FILE: path.nullable().default(null),
  /** Signs callback and upload URLs: at least 16 bytes each, the first signs, all verify. Default: one is generated and kept in the database. */
  CALLBACK_SECRET: secrets.nullable().default(null),
  /** Path of a JSON map id → document; nothing else is executed then. Default: unset, any document is. */
  TRUSTED_DOCUMENTS: documents.nullable().default(null),
  /** Who may ask for the schema: true (everyone), authenticated, false (none). Default: true in the sandbox and with ALLOW_ANONYMOUS, else authenticated. */
  INTROSPECTION: oneOf('true', 'authenticated', 'false')
    .transform((who) => readers[who])
    .nullable()
    .default(null),
  /** Whether browsers get GraphiQL. Default: true in the sandbox, else false. */
  GRAPHIQL: boolean.nullable().default(null),
  /** Origins, comma-separated, whose pages may use the API. Default: none but our own. */
  CORS_ORIGINS: origins.default([]),
  /** Cost of operations, by `@cost` and `@listSize`, that an owner may spend in a minute. Default: no limit. */
  COST_PER_MINUTE: wholeNumber().nullable().default(null),
  /** Lip-syncs an owner may create in a day. Default: no limit. */
  LIPSYNCS_PER_DAY: wholeNumber().nullable().default(null),
  /** Lip-syncs of an owner that may be unfinished at a time. Default: no limit. */
  LIPSYNCS_IN_FLIGHT: wholeNumber().nullable().default(null),
  /** Subscriptions an owner may have open at a time, over all transports and instances. Default: no limit. */
  STREAMS_PER_CALLER: wholeNumber().nullable().default(null),
  /** Lip-syncs that may wait for the upstream, all owners together. Default: 10000. */
  QUEUE_LIMIT: wholeNumber().default(10_000),
  /** Milliseconds between two reads of what runs upstream. Default: 15000. */
  POLL_INTERVAL_MS: wholeNumber().default(15_000),
  /** Milliseconds after which the upstream's answer counts as lost. Default: 30000. */
  UPSTREAM_TIMEOUT_MS: wholeNumber().default(30_000),
  /** Milliseconds after which a submitted lip-sync that has not ended is given up. Default: 7200000, two hours. */
  MAX_JOB_MS: wholeNumber().default(7_200_000),
  /** Days that a finished lip-sync and its events are kept. Default: 30. */
  RETENTION_DAYS: wholeNumber(1, 36_500).default(30),
  /** Networks (10.0.0.0/8), addresses and host names that webhooks may reach although they are not public. Default: none; in a sandbox outside production this machine. */
  WEBHOOK_ALLOWED_NETWORKS: networks.nullable().default(null),
  /** Least severe level written to stdout: fatal, error, warn, info, debug, trace, or silent. Default: info. */
  LOG_LEVEL: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent').default('info'),
});

type Variables = z.output<typeof variables>;
export const variableNames = variables.keyof().options;

/** What the process runs with, grouped by who uses it. Null is "unset"; what that means is said at the variable. */
export type Config = Fixed<ReturnType<typeof arrange>>;

type Fixed<T> = { readonly [K in keyof T]: Fixed<T[K]> };

/** `problems` name variables and never repeat a value: any value may be a secret in the wrong place. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The configuration is wrong:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** @throws ConfigError with every mistake there is. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const raw: Raw = {};
  for (const name of variableNames) raw[name] = env[name]?.trim() || undefined;
  const parsed = variables.safeParse(raw);
  const problems = [...(parsed.error?.issues ?? []).map(describe), ...findContradictions(raw)];
  problems.push(...findKeyFileProblems(raw));
  if (!parsed.success || problems.length > 0) throw new ConfigError([...new Set(problems)]);
  return arrange(parsed.data);
}

function findKeyFileProblems(raw: Raw): readonly string[] {
  if (raw.API_KEYS_FILE === undefined) return [];
  try {
    parseApiKeyFile(readFileSync(raw.API_KEYS_FILE, 'utf8'), apiKeys.safeParse(raw.API_KEYS).data);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    return ['API_KEYS_FILE must be the path of a file that can be read'];
  }
}

type Raw = { [name in keyof Variables]?: string | undefined };

function describe({ path: [name, position], message }: z.core.$ZodIssue): string {
  const entry = typeof position === 'number' ? ` entry ${position + 1}` : '';
  return `${String(name)}${entry} ${message}`;
}

/** Reads the variables as they came, so that it speaks also where some of them can't be parsed. */
function findContradictions(raw: Raw): string[] {
  const sandbox = boolean.safeParse(raw.SANDBOX).data;
  const hasAuth = raw.AUTH_JWKS_URL || raw.AUTH_JWT_SECRET || raw.API_KEYS || raw.API_KEYS_FILE;
  const mayBeAnonymous = boolean.safeParse(raw.ALLOW_ANONYMOUS).data === true;
  const rules: [boolean, string][] = [
    [sandbox === true && !!raw.USEAPI_TOKEN, 'SANDBOX=true and USEAPI_TOKEN exclude each other'],
    [sandbox === false && !raw.USEAPI_TOKEN, 'SANDBOX=false needs USEAPI_TOKEN'],
    [
      raw.NODE_ENV === 'production' && !raw.USEAPI_TOKEN && raw.SANDBOX === undefined,
      'USEAPI_TOKEN must be set with NODE_ENV=production, or SANDBOX=true to run the sandbox',
    ],
    [!!raw.AUTH_JWKS_URL && !raw.AUTH_ISSUER, 'AUTH_ISSUER must be set with AUTH_JWKS_URL'],
    [!!raw.AUTH_JWKS_URL && !raw.AUTH_AUDIENCE, 'AUTH_AUDIENCE must be set with AUTH_JWKS_URL'],
    [
      !!raw.USEAPI_TOKEN && !hasAuth && !mayBeAnonymous,
      'AUTH_JWKS_URL, AUTH_JWT_SECRET, API_KEYS or API_KEYS_FILE must be set with USEAPI_TOKEN, or ALLOW_ANONYMOUS=true to let everyone spend its credits',
    ],
  ];
  return rules.filter(([isBroken]) => isBroken).map(([, problem]) => problem);
}

function arrange(is: Variables) {
  const mode = is.USEAPI_TOKEN ? ('live' as const) : ('sandbox' as const);
  const isSandbox = mode === 'sandbox';
  const allowAnonymous = is.ALLOW_ANONYMOUS ?? isSandbox;
  return {
    /** `sandbox` starts the emulator and speaks to it, `live` speaks to useapi.net. */
    mode,
    logLevel: is.LOG_LEVEL,
    server: {
      host: is.HOST,
      port: is.PORT,
      ...findPublicUrl(is),
      graphiql: is.GRAPHIQL ?? isSandbox,
      introspection:
        is.INTROSPECTION ?? (isSandbox || allowAnonymous ? 'everyone' : 'authenticated'),
      corsOrigins: is.CORS_ORIGINS,
      /** Documents by their ids; null = anything is executed. */
      trustedDocuments: is.TRUSTED_DOCUMENTS,
    },
    auth: {
      allowAnonymous,
      anonymousIsAdmin: isSandbox,
      jwksUrl: is.AUTH_JWKS_URL,
      jwtSecret: is.AUTH_JWT_SECRET,
      issuer: is.AUTH_ISSUER,
      audience: is.AUTH_AUDIENCE,
      apiKeys: is.API_KEYS,
      apiKeysFile: is.API_KEYS_FILE,
    },
    callbackSecrets: is.CALLBACK_SECRET,
    /** In the sandbox `token` is null and the emulator's own address stands in for `baseUrl`. */
    upstream: {
      token: is.USEAPI_TOKEN,
      baseUrl: is.USEAPI_BASE_URL,
      timeoutMs: is.UPSTREAM_TIMEOUT_MS,
    },
    sandboxPort: is.SANDBOX_PORT,
    /** A sandbox is tried out beside the receiver; one in production may face strangers. */
    webhookAllowedNetworks:
      is.WEBHOOK_ALLOWED_NETWORKS ??
      (isSandbox && is.NODE_ENV !== 'production' ? ['127.0.0.0/8', '::1', 'localhost'] : []),
    database: { url: is.DATABASE_URL, dataDir: is.DATA_DIR },
    limits: {
      costPerMinute: is.COST_PER_MINUTE,
      lipsyncsPerDay: is.LIPSYNCS_PER_DAY,
      lipsyncsInFlight: is.LIPSYNCS_IN_FLIGHT,
      streamsPerCaller: is.STREAMS_PER_CALLER,
      queueLimit: is.QUEUE_LIMIT,
    },
    timing: {
      pollIntervalMs: is.POLL_INTERVAL_MS,
      maxJobMs: is.MAX_JOB_MS,
      retentionDays: is.RETENTION_DAYS,
    },
  };
}

/** Null where `PORT=0` leaves it unknown: then it is `publicUrlAt` the port that was given. A loopback one gets no callback from outside. */
function findPublicUrl(is: Variables): { publicUrl: string | null; publicUrlIsLoopback: boolean } {
  const url = is.PUBLIC_URL ?? publicUrlAt(is.HOST, is.PORT);
  const name = new URL(url).hostname;
  const isLoopback =
    /^(.*\.)?localhost\.?$|^\[::(1|ffff:7f\w\w:\w+)?\]$|^0\.0\.0\.0$/.test(name) ||
    (isIPv4(name) && name.startsWith('127.'));
  return { publicUrl: is.PUBLIC_URL || is.PORT > 0 ? url : null, publicUrlIsLoopback: isLoopback };
}

/**
 * What API_KEYS_FILE holds, which is nothing where its last key was withdrawn.
 *
 * @param besides the keys of API_KEYS: neither name nor key may be in both
 * @throws ConfigError
 */
export function parseApiKeyFile(text: string, besides: Config['auth']['apiKeys'] = []) {
  const lines = text.split('\n').map((line) => line.replace(/#.*/, ''));
  const { data, error } = list.pipe(distinctKeys).safeParse(lines.join(','));
  if (data === undefined) {
    const issues = error.issues.map((issue) => ({ ...issue, path: [file, ...issue.path] }));
    throw new ConfigError(issues.map(describe));
  }
  const isKnown = (key: (typeof data)[number]) =>
    besides.some(({ name, sha256 }) => name === key.name || sha256 === key.sha256);
  if (data.some(isKnown)) throw new ConfigError([`${file} repeats a name or key of API_KEYS`]);
  return data;
}

const file = 'API_KEYS_FILE';

/** The default of `PUBLIC_URL`. An address that means "all of them" is no address to call, so it becomes 127.0.0.1. */
export function publicUrlAt(host: string, port: number): string {
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return new URL(`http://${isIPv6(name) ? `[${name}]` : name}:${port}`).origin;
}
