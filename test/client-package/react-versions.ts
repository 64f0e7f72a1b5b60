import { mkdir, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type * as ReactModule from 'react';
import { startProject } from './project.ts';

/** What is used of `react-dom`, which has no types of its own. */
export type Root = { render(element: ReactModule.ReactNode): void; unmount(): void };

type DomClient = {
  createRoot(container: unknown): Root;
  hydrateRoot(container: unknown, element: ReactModule.ReactNode): Root;
};

type DomServer = { renderToString(element: ReactModule.ReactNode): string };

/** The folders of the packages that have installed it. */
export const reactVersions = ['18', '19'];

/** The packed client beside one version of React, and that version's renderers. */
export async function startReactProject(version: string) {
  const require = createRequire(join(import.meta.dirname, `react-${version}`, 'package.json'));
  const project = await startProject();
  const packages = join(project.folder, 'node_modules');
  await mkdir(join(packages, '@types'));
  const typesOfReact = join(import.meta.dirname, 'node_modules/@types/react');
  await symlink(typesOfReact, join(packages, '@types/react'));
  await symlink(dirname(require.resolve('react/package.json')), join(packages, 'react'));
  const dist = join(project.folder, 'node_modules/lipsync-graphql-client/dist');
  return {
    project,
    React: require('react') as typeof ReactModule,
    dom: require('react-dom/client') as DomClient,
    onServer: require('react-dom/server') as DomServer,
    hooks: (await import(join(dist, 'react.mjs'))) as typeof import('lipsync-graphql-client/react'),
    client: (await import(join(dist, 'client.mjs'))) as typeof import('lipsync-graphql-client'),
  };
}
