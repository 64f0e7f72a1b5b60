import { randomBytes, randomUUID } from 'node:crypto';
import type { WebhookEngine } from './engine.ts';
import {
  findAllKeys,
  findLiveKeys,
  insertKey,
  lockKeys,
  resealKey,
  retireKeys,
  type SealedKey,
} from './key-store.ts';

/** What an owner may see of a key at any time. */
export type WebhookKey = {
  id: string;
  /** The last four characters of the secret. */
  hint: string;
  createdAt: Date;
  /** Null for the newest. */
  expiresAt: Date | null;
};

/** Standard Webhooks asks for 24 to 64; a multiple of three needs no padding in base64. */
const secretBytes = 30;

/** How long the secret before the newest still signs: a working day on every side of the world. */
const overlapMs = 24 * 3_600_000;

export async function listKeys(engine: WebhookEngine, owner: string): Promise<WebhookKey[]> {
  return (await findLiveKeys(engine.db, owner, engine.now())).map(withoutSecret);
}

/** A new secret, told here and never again. The one before it signs for another day, and any older one no more. */
export async function rotateSecret(
  engine: WebhookEngine,
  owner: string,
): Promise<{ key: WebhookKey; secret: string }> {
  const now = engine.now();
  const { key, secret } = makeKey(engine, owner);
  await engine.db.transaction(async (tx) => {
    await lockKeys(tx, owner);
    await retireKeys(tx, owner, new Date(now.getTime() + overlapMs));
    const isKept = await insertKey(tx, key);
    if (!isKept) throw new Error('A new webhook secret was not kept.');
  });
  return { key: withoutSecret(key), secret };
}

/**
 * The secrets that sign for an owner now. Who never asked for one gets one here: a webhook is always signed, and the
 * secret for a receiver comes with the next rotation. Null where one is there and none of ours opens it.
 */
export async function readSecrets(engine: WebhookEngine, owner: string): Promise<string[] | null> {
  const found = await findLiveKeys(engine.db, owner, engine.now());
  const keys = found.length > 0 ? found : await createFirst(engine, owner);
  const opened = keys.map((key) => ({
    keyId: key.id,
    secret: engine.vault.open(key.sealed, placeOf(key)),
  }));
  const lost = opened.filter(({ secret }) => secret === null).map(({ keyId }) => keyId);
  if (lost.length > 0) {
    // Not the owner: a token's subject may be an e-mail.
    engine.log.error(
      { keyIds: lost },
      'a webhook secret was sealed under a CALLBACK_SECRET that is not listed any more',
    );
  }
  const secrets = opened.flatMap(({ secret }) => secret ?? []);
  return secrets.length === 0 ? null : secrets;
}

async function createFirst(engine: WebhookEngine, owner: string): Promise<SealedKey[]> {
  return engine.db.transaction(async (tx) => {
    await lockKeys(tx, owner);
    await insertKey(tx, makeKey(engine, owner).key);
    return findLiveKeys(tx, owner, engine.now());
  });
}

/** Seals all under the first CALLBACK_SECRET, so that the older ones can be dropped from the list. */
export async function resealKeys({ db, vault }: WebhookEngine): Promise<void> {
  for (const key of await findAllKeys(db)) {
    if (vault.isCurrent(key.sealed)) continue;
    const secret = vault.open(key.sealed, placeOf(key));
    if (secret !== null) await resealKey(db, key, vault.seal(secret, placeOf(key)));
  }
}

function makeKey(engine: WebhookEngine, owner: string): { key: SealedKey; secret: string } {
  const id = randomUUID();
  const secret = `whsec_${randomBytes(secretBytes).toString('base64')}`;
  const sealed = engine.vault.seal(secret, placeOf({ id, owner }));
  const key = { id, owner, sealed, hint: secret.slice(-4), createdAt: engine.now() };
  return { key: { ...key, expiresAt: null }, secret };
}

function placeOf({ id, owner }: Pick<SealedKey, 'id' | 'owner'>): string {
  return `${id} ${owner}`;
}

function withoutSecret({ id, hint, createdAt, expiresAt }: SealedKey): WebhookKey {
  return { id, hint, createdAt, expiresAt };
}
