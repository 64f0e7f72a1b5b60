import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';

/** Encrypts texts at rest: a copy of the database without CALLBACK_SECRET does not reveal them. */
export type SecretEncryption = {
  /** @param boundTo identifies the row; the text can only be decrypted with the same value (AES-GCM's associated data) */
  encrypt(text: string, boundTo: string): string;
  /** Null if none of the secrets can decrypt it. */
  decrypt(encrypted: string, boundTo: string): string | null;
  /** Whether it is encrypted under the first secret. Text under another secret is lost once that secret is removed. */
  isCurrent(encrypted: string): boolean;
};

const nonceBytes = 12;
const tagBytes = 16;
const algorithm = 'aes-256-gcm';

/**
 * @param secrets the first encrypts, all decrypt
 * @throws RangeError if the list is empty
 */
export function createSecretEncryption(secrets: readonly string[]): SecretEncryption {
  const keys = secrets.map(deriveKey);
  const [first] = keys;
  if (first === undefined) throw new RangeError('At least one secret is required for encryption.');

  return {
    encrypt(text, boundTo) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, first.bytes, nonce).setAAD(Buffer.from(boundTo));
      const encrypted = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final()]);
      return `${first.id}.${Buffer.concat([encrypted, cipher.getAuthTag()]).toString('base64url')}`;
    },
    decrypt(encrypted, boundTo) {
      const [id, body = ''] = encrypted.split('.');
      const bytes = Buffer.from(body, 'base64url');
      for (const key of keys) {
        const text = key.id === id ? decryptWith(key.bytes, bytes, boundTo) : null;
        if (text !== null) return text;
      }
      return null;
    },
    isCurrent: (encrypted) => encrypted.startsWith(`${first.id}.`),
  };
}

/** A separate key for this purpose: the secret itself signs URLs. */
function deriveKey(secret: string): { id: string; bytes: Buffer } {
  const bytes = Buffer.from(hkdfSync('sha256', secret, '', 'lipsync-graphql webhook keys', 32));
  return { id: createHash('sha256').update(bytes).digest('hex').slice(0, 8), bytes };
}

function decryptWith(key: Buffer, bytes: Buffer, boundTo: string): string | null {
  if (bytes.length < nonceBytes + tagBytes) return null;
  try {
    const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, nonceBytes), {
      authTagLength: tagBytes,
    })
      .setAAD(Buffer.from(boundTo))
      .setAuthTag(bytes.subarray(-tagBytes));
    const body = bytes.subarray(nonceBytes, -tagBytes);
    return decipher.update(body, undefined, 'utf8') + decipher.final('utf8');
  } catch {
    return null;
  }
}
