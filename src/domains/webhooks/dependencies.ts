import type { Database } from '../../database/connect.ts';
import type { Log } from '../../log.ts';
import type { Meter } from '../../metrics/meter.ts';
import type { Tracer } from '../../tracing/tracer.ts';
import type { SecretEncryption } from './secret-encryption.ts';
import type { WebhookSender } from './sender.ts';

/** Dependencies of the functions in this slice. */
export type WebhookDependencies = {
  readonly db: Database;
  readonly now: () => Date;
  readonly log: Log;
  readonly meter: Meter;
  readonly tracer: Tracer;
  readonly encryption: SecretEncryption;
  readonly sender: WebhookSender;
  /** Delays before the second attempt, the third and so on. After the last delay the delivery fails. */
  readonly delaysMs: readonly number[];
  /** The public id of an object: its GraphQL type and our key. */
  readonly publicId: (typename: string, key: string) => string;
  /** Aborts the attempts of this process when it stops. */
  readonly stopping: AbortSignal;
};
