import { z } from 'zod';

/** The first line of a backup. */
export const head = z.strictObject({
  format: z.literal('lipsync-graphql backup 1'),
  madeAt: z.iso.datetime(),
  store: z.enum(['embedded', 'postgres']),
  /** The migrations of the database that was backed up, in order. */
  migrations: z.array(z.string()).min(1),
});

export type Head = z.output<typeof head>;

/** Every other line, except those that the previous line announces: the rows, or a piece of a file in base64. */
export const entry = z.union([
  z.strictObject({ table: z.string(), count: z.number() }),
  z.strictObject({ sequence: z.string(), value: z.string(), isCalled: z.boolean() }),
  z.strictObject({ file: z.string(), pieces: z.number() }),
  z.strictObject({ end: z.literal(true), rows: z.number(), files: z.number() }),
]);

export type Entry = z.output<typeof entry>;

/** What went wrong, for the operator. */
export class BackupError extends Error {
  override readonly name = 'BackupError';
}
