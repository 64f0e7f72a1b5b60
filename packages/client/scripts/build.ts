/**
 * Builds the package as npm gets it into `packages/client/build`: ESM and CommonJS with declarations and source maps, and
 * a package.json of its own, because in the repository `exports` leads to the TypeScript sources.
 *
 *     npm run build --workspace packages/client
 */
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { build } from 'rolldown';
import { dts } from 'rolldown-plugin-dts';
import manifest from '../package.json' with { type: 'json' };

const root = join(import.meta.dirname, '..');

/** Subpaths and their sources. */
const entries = {
  client: 'src/client.ts',
  react: 'src/react/react.ts',
  server: 'src/backend/server.ts',
};

/** Part of the built files, so that the package has no dependencies. */
const bundled = Object.keys(manifest.dependencies);

const formats = [
  { format: 'es', extension: 'mjs' },
  { format: 'cjs', extension: 'cjs' },
] as const;

export async function buildPackage(folder: string): Promise<void> {
  const dir = join(folder, 'dist');
  await rm(folder, { recursive: true, force: true });
  const common = {
    cwd: root,
    input: entries,
    external: Object.keys(manifest.peerDependencies),
    platform: 'neutral',
    checks: { pluginTimings: false, moduleLevelDirective: false },
  } as const;
  for (const { format, extension } of formats) {
    await build({
      ...common,
      transform: { target: 'es2022' },
      output: { dir, format, sourcemap: true, ...namesWith(extension) },
    });
    // Declarations of both formats are ES modules in form; their extension says which files they describe.
    await build({
      ...common,
      plugins: [dts({ cwd: root, tsconfig: '../../tsconfig.json', emitDtsOnly: true })],
      output: { dir, format: 'es', ...namesWith(extension) },
    });
  }
  await writeFile(join(folder, 'package.json'), `${JSON.stringify(published(), null, 2)}\n`);
  await copyFile(join(root, 'README.md'), join(folder, 'README.md'));
  await copyFile(join(root, '../../LICENSE'), join(folder, 'LICENSE'));
  await writeFile(join(folder, 'THIRD-PARTY-LICENSES.txt'), await readLicenses());
}

function namesWith(extension: string) {
  return { entryFileNames: `[name].${extension}`, chunkFileNames: `[name]-[hash].${extension}` };
}

function published() {
  const { name, version, description, license, keywords, engines } = manifest;
  const { peerDependencies, peerDependenciesMeta } = manifest;
  const exported = Object.keys(entries).map((entry) => {
    const format = (kind: 'm' | 'c') => ({
      types: `./dist/${entry}.d.${kind}ts`,
      default: `./dist/${entry}.${kind}js`,
    });
    const subpath = entry === 'client' ? '.' : `./${entry}`;
    return [subpath, { import: format('m'), require: format('c') }] as const;
  });
  return {
    name,
    version,
    description,
    keywords,
    license,
    type: 'module',
    // For tools that do not read `exports`.
    main: './dist/client.cjs',
    module: './dist/client.mjs',
    types: './dist/client.d.cts',
    exports: { ...Object.fromEntries(exported), './package.json': './package.json' },
    files: ['dist', 'THIRD-PARTY-LICENSES.txt'],
    sideEffects: false,
    engines,
    peerDependencies,
    peerDependenciesMeta,
  };
}

/** The licences of the bundled packages ask for their text in every copy. */
async function readLicenses(): Promise<string> {
  const { resolve } = createRequire(import.meta.url);
  const texts = bundled.map(async (name) => {
    const folder = join(dirname(resolve(`${name}/package.json`)));
    return `${name}\n\n${await readFile(join(folder, 'LICENSE'), 'utf8')}`;
  });
  return (await Promise.all(texts)).join('\n\n');
}

if (import.meta.main) {
  await buildPackage(join(root, 'build'));
}
