import type { z } from 'zod';
import { InvalidInputError } from './errors.ts';

/** @throws {InvalidInputError} with every issue, each under its path below `input` */
export function checkInput<T>(shape: z.ZodType<T>, input: unknown): T {
  const parsed = shape.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new InvalidInputError(
    parsed.error.issues.map(({ path, message }) => ({
      path: ['input', ...path.map(String)],
      message,
    })),
  );
}
