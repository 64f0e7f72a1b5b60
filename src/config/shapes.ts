import { readFileSync, statSync } from 'node:fs';
import { isIP, isIPv6 } from 'node:net';
import { resolve } from 'node:path';
import { parse } from 'graphql';
import { z } from 'zod';

/** The formats of variables. Messages never contain the value, which can be a secret in the wrong variable. */

export const oneOf = <const Value extends string>(...values: Value[]) =>
  z.enum(values, { error: `must be one of ${values.join(', ')}` });

export const boolean = oneOf('true', 'false', '1', '0').transform((text) => /true|1/.test(text));

/** The default maximum is that of Node timers and of PostgreSQL's integer type, which fail above it. */
export function wholeNumber(min = 1, max = 2 ** 31 - 1) {
  const fits = (text: string) => /^\d{1,10}$/.test(text) && +text >= min && +text <= max;
  return z.string().refine(fits, `must be a whole number from ${min} to ${max}`).transform(Number);
}

export function isHttpUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url !== null && /^https?:$/.test(url.protocol) && url.username + url.password === '';
}

/** Normalized: without default port and trailing slash. */
export const baseUrl = z
  .string()
  .refine((text) => isHttpUrl(text) && !/[?#]/.test(text), 'must be an http(s) URL without a query')
  .transform((text) => new URL(text).origin + new URL(text).pathname.replace(/\/+$/, ''));

/** Resolved to an absolute path, so that a later change of the working directory has no effect. */
export const path = z.string().transform((text) => resolve(text));

export const folder = path.refine(
  (at) => statSync(at, { throwIfNoEntry: false })?.isDirectory() !== false,
  'must be a folder, but the path exists and is not a folder',
);

const notDocuments =
  "must be the path of a JSON object from document ids to documents, as Relay's compiler writes it, or of Apollo's manifest of persisted queries";

/**
 * Apollo's manifest is recognised by its `format`. A map of documents cannot have this entry: its value is not a
 * document.
 */
const isManifest = (value: unknown) =>
  typeof value === 'object' &&
  value !== null &&
  'format' in value &&
  value.format === 'apollo-persisted-query-manifest';

/** https://www.apollographql.com/docs/graphos/platform/security/persisted-queries: the output of Apollo's generator. */
const apolloManifest = z
  .object({
    version: z.literal(1),
    operations: z.array(z.object({ id: z.string(), body: z.string() })),
  })
  .transform(({ operations }) => Object.fromEntries(operations.map(({ id, body }) => [id, body])));

/** The file is read here, so that its problems are reported together with all others. */
export const documents = path
  .transform((file) => {
    const value = readJson(file);
    return isManifest(value) ? apolloManifest.safeParse(value).data : value;
  })
  .pipe(z.record(z.string(), z.string(notDocuments), notDocuments))
  .refine(
    (given) => Object.values(given).every(isDocument),
    'contains a document that is not valid GraphQL syntax',
  );

function isDocument(text: string): boolean {
  try {
    parse(text);
    return true;
  } catch {
    return false;
  }
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

export const list = z
  .string()
  .transform((text) => text.split(',').flatMap((entry) => entry.trim() || []));

export const origins = list
  .transform((entries) => entries.map((entry) => entry.toLowerCase().replace(/\/$/, '')))
  .refine(
    (entries) => entries.every((entry) => isHttpUrl(entry) && new URL(entry).origin === entry),
    'must be a comma-separated list of origins such as https://app.example.com',
  );

const isHostName = (name: string) =>
  /^([\w-]+(\.[\w-]+)*|\[[\da-f:.]+\])$/.test(name) && URL.canParse(`http://${name}/`);

export const hosts = list
  .transform((names) => names.map((name) => name.toLowerCase().replace(/\.$/, '')))
  .refine(
    (names) => names.every(isHostName),
    'must be a comma-separated list of host names without ports, such as lipsync.local',
  );

/** A list, so that a secret and its successor are valid together. */
export function secretsOf(minBytes: number) {
  return list.refine(
    (each) => each.length > 0 && each.every((secret) => Buffer.byteLength(secret) >= minBytes),
    `must be a comma-separated list of secrets of at least ${minBytes} bytes each`,
  );
}

export const bearerTokens = list.refine(
  (each) => each.length > 0 && each.every((token) => /^[!-~]+$/.test(token)),
  'must be a comma-separated list of tokens alone: ASCII characters without spaces',
);

const isNetwork = (entry: string) => {
  const [address = '', length, ...more] = entry.split('/');
  if (length === undefined) return isIP(address) > 0 || /^[\w-]+(\.[\w-]+)*\.?$/.test(address);
  const maxLength = isIPv6(address) ? 128 : 32;
  return isIP(address) > 0 && more.length === 0 && /^\d{1,3}$/.test(length) && +length <= maxLength;
};

export const networks = list.refine(
  (entries) => entries.every(isNetwork),
  'must be a comma-separated list of networks such as 10.0.0.0/8, IP addresses and host names',
);
