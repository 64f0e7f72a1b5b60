import { globSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { beyondCore, otherSuites } from '../vitest.config.ts';

const root = join(import.meta.dirname, '..');

describe('the lists of vitest.config.ts', () => {
  // A renamed file would join the core unnoticed.
  test.each([...otherSuites, ...beyondCore])('%s matches test files', (pattern) => {
    expect(globSync(pattern, { cwd: root }).filter((file) => file.endsWith('.ts'))).not.toEqual([]);
  });
});
