import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ConfigError, describeIssue } from './error.ts';
import { list } from './shapes.ts';

const scopes = ['lipsync:read', 'lipsync:write', 'videos:read', 'videos:write', 'admin'] as const;

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
      scopes: z.array(
        z.enum(scopes, { error: `must contain only the scopes ${scopes.join(' ')}` }),
      ),
    }),
  );

type ApiKey = z.output<typeof apiKey>;

const isDistinct = (values: readonly string[]) => new Set(values).size === values.length;

/** A name may occur several times: during a rotation the old and the new key are both valid, and are the same owner. */
const distinctKeys = z
  .array(apiKey)
  .refine((keys) => isDistinct(keys.map(({ sha256 }) => sha256)), 'contains a key twice');

export const apiKeys = list
  .refine((entries) => entries.length > 0, 'must contain at least one key')
  .pipe(distinctKeys);

const variable = 'API_KEYS_FILE';

/**
 * Parses the content of API_KEYS_FILE. An empty file is valid: an operator may remove the last key.
 *
 * @param others the keys of API_KEYS; a name may be in both, a key must not
 * @throws ConfigError
 */
export function parseApiKeyFile(text: string, others: readonly ReadonlyApiKey[] = []): ApiKey[] {
  const lines = text.split('\n').map((line) => line.replace(/#.*/, ''));
  const { data, error } = list.pipe(distinctKeys).safeParse(lines.join(','));
  if (data === undefined) {
    const issues = error.issues.map((issue) => ({ ...issue, path: [variable, ...issue.path] }));
    throw new ConfigError(issues.map(describeIssue));
  }
  const hashes = new Set(others.map(({ sha256 }) => sha256));
  if (data.some(({ sha256 }) => hashes.has(sha256))) {
    throw new ConfigError([`${variable} contains a key of API_KEYS`]);
  }
  return data;
}

type ReadonlyApiKey = Readonly<Pick<ApiKey, 'sha256'>>;

/** Everything that is wrong with the file. Empty if the path is undefined or the file is valid. */
export function findApiKeyFileProblems(
  path: string | undefined,
  apiKeysText: string | undefined,
): readonly string[] {
  if (path === undefined) return [];
  try {
    parseApiKeyFile(readFileSync(path, 'utf8'), apiKeys.safeParse(apiKeysText).data);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    return [`${variable} must be the path of a readable file`];
  }
}
