import { readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { cruise, type ICruiseResult, type IFlattenedRuleSet } from 'dependency-cruiser';
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const config = createRequire(import.meta.url)('../.dependency-cruiser.cjs') as IFlattenedRuleSet & {
  options: object;
};

// dependency-cruiser 17 sees no file at all under TypeScript 7, and then says that all is well.
test('the boundaries are held over every file of src', async () => {
  const { output } = await cruise(
    ['src'],
    { ...config.options, baseDir: root, validate: true, ruleSet: config },
    undefined,
    { tsConfig: extractTSConfig(join(root, 'tsconfig.json')) },
  );
  const { modules, summary } = output as ICruiseResult;
  const seen = modules.filter(({ source }) => /^src\/.*\.ts$/.test(source));
  const files = (await readdir(join(root, 'src'), { recursive: true })).filter((file) =>
    file.endsWith('.ts'),
  );
  expect(seen.length).toBe(files.length);
  expect(summary.violations).toEqual([]);
});
