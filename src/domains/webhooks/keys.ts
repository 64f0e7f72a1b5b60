import { randomBytes, randomUUID } from 'node:crypto';
import type { WebhookDependencies } from './dependencies.ts';
import {
  type EncryptedKey,
  findAllKeys,
  findLiveKeys,
  insertKey,
  lockKeys,
  replaceEncryptedSecret,
  retireKeys,
} from './key-store.ts';

/** A key without its secret, as its owner can list it. */
export type WebhookKey = {
  id: string;
  /** The last four characters of the secret. */
  hint: string;
  createdAt: Date;
  /** Null for the newest key. */
  expiresAt: Date | null;
};

/** Standard Webhooks requires 24 to 64 bytes; a multiple of three needs no padding in base64. */
const secretBytes = 30;

/** How long the previous secret still signs after a rotation: one working day in every time zone. */
const overlapMs = 24 * 3_600_000;

export async function listKeys(deps: WebhookDependencies, owner: string): Promise<WebhookKey[]> {
  return (await findLiveKeys(deps.db, owner, deps.now())).map(withoutSecret);
}

/** Creates a new secret, which only this call returns. The previous secret signs for 24 more hours, older ones stop now. */
export async function rotateSecret(
  deps: WebhookDependencies,
  owner: string,
): Promise<{ key: WebhookKey; secret: string }> {
  const now = deps.now();
  const { key, secret } = createKey(deps, owner);
  await deps.db.transaction(async (tx) => {
    await lockKeys(tx, owner);
    await retireKeys(tx, owner, new Date(now.getTime() + overlapMs));
    const isInserted = await insertKey(tx, key);
    if (!isInserted) throw new Error('The new webhook secret was not stored.');
  });
  return { key: withoutSecret(key), secret };
}

/**
 * The secrets that sign an owner's webhooks now. Creates the first one if the owner has none, because every webhook is
 * signed; the owner gets a secret to verify with by `rotateSecret`. Null if no CALLBACK_SECRET decrypts any of them.
 */
export async function readSecrets(
  deps: WebhookDependencies,
  owner: string,
): Promise<string[] | null> {
  const found = await findLiveKeys(deps.db, owner, deps.now());
  const keys = found.length > 0 ? found : await createFirstKey(deps, owner);
  const decrypted = keys.map((key) => ({
    keyId: key.id,
    secret: deps.encryption.decrypt(key.encryptedSecret, bindingOf(key)),
  }));
  const unreadable = decrypted.filter(({ secret }) => secret === null).map(({ keyId }) => keyId);
  if (unreadable.length > 0) {
    // Does not log the owner: the subject of a JWT can be an e-mail address.
    deps.log.error(
      { keyIds: unreadable },
      'cannot decrypt a webhook secret: the CALLBACK_SECRET that encrypted it is no longer listed',
    );
  }
  const secrets = decrypted.flatMap(({ secret }) => secret ?? []);
  return secrets.length === 0 ? null : secrets;
}

async function createFirstKey(deps: WebhookDependencies, owner: string): Promise<EncryptedKey[]> {
  return deps.db.transaction(async (tx) => {
    await lockKeys(tx, owner);
    await insertKey(tx, createKey(deps, owner).key);
    return findLiveKeys(tx, owner, deps.now());
  });
}

/** Encrypts every secret under the first CALLBACK_SECRET, so that the older ones can be removed from the list. */
export async function reencryptSecrets({ db, encryption }: WebhookDependencies): Promise<void> {
  for (const key of await findAllKeys(db)) {
    if (encryption.isCurrent(key.encryptedSecret)) continue;
    const secret = encryption.decrypt(key.encryptedSecret, bindingOf(key));
    if (secret === null) continue;
    await replaceEncryptedSecret(db, key, encryption.encrypt(secret, bindingOf(key)));
  }
}

function createKey(
  deps: WebhookDependencies,
  owner: string,
): { key: EncryptedKey; secret: string } {
  const id = randomUUID();
  const secret = `whsec_${randomBytes(secretBytes).toString('base64')}`;
  const encryptedSecret = deps.encryption.encrypt(secret, bindingOf({ id, owner }));
  const key = { id, owner, encryptedSecret, hint: secret.slice(-4), createdAt: deps.now() };
  return { key: { ...key, expiresAt: null }, secret };
}

/** Binds an encrypted secret to its row: copied into the row of another owner, it cannot be decrypted. */
function bindingOf({ id, owner }: Pick<EncryptedKey, 'id' | 'owner'>): string {
  return `${id} ${owner}`;
}

function withoutSecret({ id, hint, createdAt, expiresAt }: EncryptedKey): WebhookKey {
  return { id, hint, createdAt, expiresAt };
}
