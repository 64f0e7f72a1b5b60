import { findApiKeyFileProblems } from './config/api-keys.ts';
import { ConfigError, describeIssue } from './config/error.ts';
import { isLoopbackUrl, publicUrlAt } from './config/public-url.ts';
import { boolean } from './config/shapes.ts';
import { readTracing } from './config/tracing.ts';
import { type Variables, variableNames, variables } from './config/variables.ts';

/** The configuration, grouped by the part that uses it. Null means unset; `config/variables.ts` describes the effect. */
export type Config = Fixed<ReturnType<typeof toConfig>>;

type Fixed<T> = { readonly [K in keyof T]: Fixed<T[K]> };

/** @throws ConfigError with all problems of the configuration */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const raw: Raw = {};
  for (const name of variableNames) raw[name] = env[name]?.trim() || undefined;
  const parsed = variables.safeParse(raw);
  const problems = [...(parsed.error?.issues ?? []).map(describeIssue), ...findContradictions(raw)];
  problems.push(...findRenamed(env));
  problems.push(...findApiKeyFileProblems(raw.API_KEYS_FILE, raw.API_KEYS));
  if (!parsed.success || problems.length > 0) throw new ConfigError([...new Set(problems)]);
  return toConfig(parsed.data);
}

/**
 * Variables of earlier versions, which are rejected: ignoring one would silently change what the operator allowed or
 * blocked.
 */
const renamed = { WEBHOOK_ALLOWED_NETWORKS: 'OUTBOUND_ALLOWED_NETWORKS' };

function findRenamed(env: NodeJS.ProcessEnv): string[] {
  return Object.entries(renamed).flatMap(([before, now]) =>
    before in env && env[before]?.trim() ? [`${before} is now called ${now}: rename it`] : [],
  );
}

type Raw = { [name in keyof Variables]?: string | undefined };

/** Works on the unparsed variables, so that it also reports contradictions if some of them cannot be parsed. */
function findContradictions(raw: Raw): string[] {
  const sandbox = boolean.safeParse(raw.SANDBOX).data;
  const hasAuth = raw.AUTH_JWKS_URL || raw.AUTH_JWT_SECRET || raw.API_KEYS || raw.API_KEYS_FILE;
  const allowsAnonymous = boolean.safeParse(raw.ALLOW_ANONYMOUS).data === true;
  const rules: [boolean, string][] = [
    [sandbox === true && !!raw.USEAPI_TOKEN, 'SANDBOX=true cannot be combined with USEAPI_TOKEN'],
    [sandbox === false && !raw.USEAPI_TOKEN, 'SANDBOX=false requires USEAPI_TOKEN'],
    [
      raw.NODE_ENV === 'production' && !raw.USEAPI_TOKEN && raw.SANDBOX === undefined,
      'USEAPI_TOKEN is required with NODE_ENV=production; set SANDBOX=true to run the sandbox',
    ],
    [!!raw.AUTH_JWKS_URL && !raw.AUTH_ISSUER, 'AUTH_ISSUER is required with AUTH_JWKS_URL'],
    [!!raw.AUTH_JWKS_URL && !raw.AUTH_AUDIENCE, 'AUTH_AUDIENCE is required with AUTH_JWKS_URL'],
    [
      !!raw.USEAPI_TOKEN && !hasAuth && !allowsAnonymous,
      'AUTH_JWKS_URL, AUTH_JWT_SECRET, API_KEYS or API_KEYS_FILE is required with USEAPI_TOKEN; set ALLOW_ANONYMOUS=true to let every caller spend its credits',
    ],
  ];
  return rules.filter(([isBroken]) => isBroken).map(([, problem]) => problem);
}

function toConfig(values: Variables) {
  const mode = values.USEAPI_TOKEN ? ('live' as const) : ('sandbox' as const);
  const isSandbox = mode === 'sandbox';
  const allowAnonymous = values.ALLOW_ANONYMOUS ?? isSandbox;
  return {
    /** `sandbox` starts the emulator and uses it as the upstream; `live` uses useapi.net. */
    mode,
    logLevel: values.LOG_LEVEL,
    /** Null: nothing is traced. */
    tracing: readTracing(values),
    server: readServer(values, { isSandbox, allowAnonymous }),
    auth: {
      allowAnonymous,
      anonymousIsAdmin: isSandbox,
      jwksUrl: values.AUTH_JWKS_URL,
      jwtSecrets: values.AUTH_JWT_SECRET,
      issuer: values.AUTH_ISSUER,
      audience: values.AUTH_AUDIENCE,
      allowsNoExpiry: values.AUTH_ALLOW_NO_EXPIRY,
      apiKeys: values.API_KEYS,
      apiKeysFile: values.API_KEYS_FILE,
    },
    callbackSecrets: values.CALLBACK_SECRET,
    /** In the sandbox `token` is null and the emulator's address replaces `baseUrl`. */
    upstream: {
      token: values.USEAPI_TOKEN,
      baseUrl: values.USEAPI_BASE_URL,
      timeoutMs: values.UPSTREAM_TIMEOUT_MS,
    },
    sandboxPort: values.SANDBOX_PORT,
    outboundAllowedNetworks: findAllowedNetworks(values),
    imports: { maxBytes: values.IMPORT_MAX_BYTES, timeoutMs: values.IMPORT_TIMEOUT_MS },
    database: { url: values.DATABASE_URL, dataDir: values.DATA_DIR },
    limits: {
      costPerMinute: values.COST_PER_MINUTE,
      lipsyncsPerDay: values.LIPSYNCS_PER_DAY,
      lipsyncsInFlight: values.LIPSYNCS_IN_FLIGHT,
      streamsPerCaller: values.STREAMS_PER_CALLER,
      queueLimit: values.QUEUE_LIMIT,
    },
    creditPrices: values.CREDIT_PRICES,
    timing: {
      pollIntervalMs: values.POLL_INTERVAL_MS,
      readFreshMs: values.READ_FRESH_MS,
      maxUnknownMs: values.MAX_UNKNOWN_MS,
      maxJobMs: values.MAX_JOB_MS,
      retentionDays: values.RETENTION_DAYS,
    },
  };
}

function readServer(
  values: Variables,
  { isSandbox, allowAnonymous }: { isSandbox: boolean; allowAnonymous: boolean },
) {
  return {
    host: values.HOST,
    port: values.PORT,
    ...findPublicUrl(values),
    graphiql: values.GRAPHIQL ?? isSandbox,
    mcp: values.MCP ?? isSandbox,
    introspection:
      values.INTROSPECTION ?? (isSandbox || allowAnonymous ? 'everyone' : 'authenticated'),
    corsOrigins: values.CORS_ORIGINS,
    /** Further names, beside the loopback names, `host` and that of `publicUrl`. */
    allowedHosts: [values.HOST.toLowerCase(), ...values.ALLOWED_HOSTS],
    metricsTokens: values.METRICS_TOKEN,
    permanentUrls: values.PERMANENT_URLS,
    /** Document id → document; null = every document is executed. */
    trustedDocuments: values.TRUSTED_DOCUMENTS,
  };
}

/** `publicUrl` is null with `PORT=0`: the caller then uses `publicUrlAt` with the port that the system assigned. */
function findPublicUrl(values: Variables): {
  publicUrl: string | null;
  publicUrlIsLoopback: boolean;
} {
  const url = values.PUBLIC_URL ?? publicUrlAt(values.HOST, values.PORT);
  const isKnown = values.PUBLIC_URL !== null || values.PORT > 0;
  return { publicUrl: isKnown ? url : null, publicUrlIsLoopback: isLoopbackUrl(url) };
}

/** A local sandbox usually has its receiver on the same machine; a sandbox in production can have untrusted callers. */
function findAllowedNetworks(values: Variables): string[] {
  const isLocalSandbox = !values.USEAPI_TOKEN && values.NODE_ENV !== 'production';
  const own = isLocalSandbox ? ['127.0.0.0/8', '::1', 'localhost'] : [];
  return values.OUTBOUND_ALLOWED_NETWORKS ?? own;
}
