import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';

/** Keeps texts in the database so that its copy alone is worth nothing. */
export type Vault = {
  /** @param place where the text is kept: moved to another place, it does not open */
  seal(text: string, place: string): string;
  /** Null where none of the secrets opens it. */
  open(sealed: string, place: string): string | null;
  /** Whether the first secret opens it. One that is sealed under another is lost when that one is dropped. */
  isCurrent(sealed: string): boolean;
};

const nonceBytes = 12;
const tagBytes = 16;
const algorithm = 'aes-256-gcm';

/**
 * @param secrets the first seals, all open
 * @throws RangeError without a secret
 */
export function createVault(secrets: readonly string[]): Vault {
  const keys = secrets.map(deriveKey);
  const [first] = keys;
  if (first === undefined) throw new RangeError('There is no secret to seal with.');

  return {
    seal(text, place) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, first.bytes, nonce).setAAD(Buffer.from(place));
      const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final()]);
      return `${first.id}.${Buffer.concat([sealed, cipher.getAuthTag()]).toString('base64url')}`;
    },
    open(sealed, place) {
      const [id, body = ''] = sealed.split('.');
      const bytes = Buffer.from(body, 'base64url');
      for (const key of keys) {
        const text = key.id === id ? unseal(key.bytes, bytes, place) : null;
        if (text !== null) return text;
      }
      return null;
    },
    isCurrent: (sealed) => sealed.startsWith(`${first.id}.`),
  };
}

/** A key of its own for this purpose: the secret itself signs URLs. */
function deriveKey(secret: string): { id: string; bytes: Buffer } {
  const bytes = Buffer.from(hkdfSync('sha256', secret, '', 'lipsync-graphql webhook keys', 32));
  return { id: createHash('sha256').update(bytes).digest('hex').slice(0, 8), bytes };
}

function unseal(key: Buffer, bytes: Buffer, place: string): string | null {
  if (bytes.length < nonceBytes + tagBytes) return null;
  try {
    const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, nonceBytes), {
      authTagLength: tagBytes,
    })
      .setAAD(Buffer.from(place))
      .setAuthTag(bytes.subarray(-tagBytes));
    const body = bytes.subarray(nonceBytes, -tagBytes);
    return decipher.update(body, undefined, 'utf8') + decipher.final('utf8');
  } catch {
    return null;
  }
}
