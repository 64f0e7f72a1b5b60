/** A sound of which a part must be chosen. `seconds` is null if its length is not known. */
export type LongSound = { name: string; seconds: number | null } & (
  | { from: 'FILE'; file: File }
  | { from: 'URL'; url: string }
);
