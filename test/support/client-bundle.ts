import { join } from 'node:path';
import { rolldown } from 'rolldown';

const root = join(import.meta.dirname, '../..');
const virtual = '\0entry';

/**
 * Bundles these exports of the kit as an application does: minified and without unused code.
 *
 * @param names of exports of `./client`
 */
export function bundleClient(names: readonly string[]): Promise<string> {
  return bundle(
    `export { ${names.join(', ')} } from '${join(root, 'packages/client/src/client.ts')}';`,
  );
}

/** @param program an ES module, which can import the packages of the root and files by absolute path */
export async function bundle(program: string): Promise<string> {
  const made = await rolldown({
    cwd: root,
    platform: 'browser',
    transform: { define: { 'process.env.NODE_ENV': '"production"' } },
    input: 'entry',
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === 'entry' ? virtual : undefined),
        load: (id) => (id === virtual ? program : undefined),
      },
    ],
  });
  try {
    const { output } = await made.generate({ minify: true });
    return output[0].code;
  } finally {
    await made.close();
  }
}
