import { readFileSync, statSync } from 'node:fs';
import { isIP, isIPv6 } from 'node:net';
import { resolve } from 'node:path';
import { parse } from 'graphql';
import { z } from 'zod';

/** What the values of variables look like. Messages never repeat a value, which may be a secret in the wrong place. */

export const oneOf = <const Word extends string>(...words: Word[]) =>
  z.enum(words, { error: `must be one of ${words.join(', ')}` });

export const boolean = oneOf('true', 'false', '1', '0').transform((word) => /true|1/.test(word));

/** The default ceiling is that of a Node timer and of a PostgreSQL integer: above it both go wrong. */
export function wholeNumber(from = 1, to = 2 ** 31 - 1) {
  const fits = (text: string) => /^\d{1,10}$/.test(text) && +text >= from && +text <= to;
  return z.string().refine(fits, `must be a whole number from ${from} to ${to}`).transform(Number);
}

export function isHttpUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url !== null && /^https?:$/.test(url.protocol) && url.username + url.password === '';
}

/** Normalised: no default port, no trailing slash. */
export const baseUrl = z
  .string()
  .refine((text) => isHttpUrl(text) && !/[?#]/.test(text), 'must be an http(s) URL without a query')
  .transform((text) => new URL(text).origin + new URL(text).pathname.replace(/\/+$/, ''));

/** Absolute from here on, whatever the process does to its working directory. */
export const path = z.string().transform((text) => resolve(text));

export const folder = path.refine(
  (at) => statSync(at, { throwIfNoEntry: false })?.isDirectory() !== false,
  'must be a folder, and is something else',
);

const noDocuments = 'must be the path of a JSON map from ids to documents';

/** Read here, and not by who uses it, so that what is wrong with it is told with all other mistakes. */
export const documents = path
  .transform(readJson)
  .pipe(z.record(z.string(), z.string(noDocuments), noDocuments))
  .refine(
    (given) => Object.values(given).every(isDocument),
    'holds a document that does not parse',
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

export const secrets = list.refine(
  (each) => each.length > 0 && each.every((secret) => Buffer.byteLength(secret) >= 16),
  'must be a comma-separated list of secrets of at least 16 bytes each',
);

const isNetwork = (entry: string) => {
  const [address = '', length, ...more] = entry.split('/');
  if (length === undefined) return isIP(address) > 0 || /^[\w-]+(\.[\w-]+)*\.?$/.test(address);
  const most = isIPv6(address) ? 128 : 32;
  return isIP(address) > 0 && more.length === 0 && /^\d{1,3}$/.test(length) && +length <= most;
};

export const networks = list.refine(
  (entries) => entries.every(isNetwork),
  'must be a comma-separated list of networks such as 10.0.0.0/8, addresses and host names',
);
