import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { pageOf, root } from './pages.ts';

/** The tables of options in docs/clients.md, by the name in their head, and the types of the kit that have these options. */
const tables = {
  server: { file: 'streams/log-reader.ts', type: 'WatchableServer' },
  backOff: { file: 'back-off.ts', type: 'BackOff' },
  serverSentEvents: { file: 'streams/sse.ts', type: 'ServerSentEventsOptions' },
  webSocket: { file: 'streams/websocket.ts', type: 'WebSocketOptions' },
  uploadFile: { file: 'uploads/upload.ts', type: 'UploadOptions' },
  createProxy: { file: 'backend/proxy.ts', type: 'ProxyOptions' },
  signUserToken: { file: 'backend/sign-user-token.ts', type: 'UserTokenClaims' },
  verifyWebhook: { file: 'backend/verify-webhook.ts', type: 'VerifyWebhookOptions' },
};

const sourceOf = (file: string) => join(root, 'packages/client/src', file);
const program = ts.createProgram(
  Object.values(tables).map(({ file }) => sourceOf(file)),
  {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2024,
    lib: ['lib.es2024.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
    allowImportingTsExtensions: true,
    noEmit: true,
    strict: true,
    types: [],
  },
);
const checker = program.getTypeChecker();

type Option = { name: string; isRequired: boolean; defaults: string[] };

/** The numbers that its comment names as defaults, such as `120 000`. */
function defaultsIn(comment: string): string[] {
  const text = /Default:?\s([\s\S]*)/.exec(comment)?.[1] ?? '';
  const named = /^(\d[\d ]*\d|\d)/.exec(text)?.[1];
  return named === undefined ? [] : [named];
}

function optionsOf({ file, type }: { file: string; type: string }): Option[] {
  const source = program.getSourceFile(sourceOf(file));
  const module = source === undefined ? undefined : checker.getSymbolAtLocation(source);
  const exported = module === undefined ? [] : checker.getExportsOfModule(module);
  const symbol = exported.find(({ name }) => name === type);
  if (symbol === undefined) throw new Error(`${file} has no ${type}.`);
  return checker
    .getDeclaredTypeOfSymbol(symbol)
    .getProperties()
    .map((each) => ({
      name: each.name,
      isRequired: (each.flags & ts.SymbolFlags.Optional) === 0,
      defaults: defaultsIn(ts.displayPartsToString(each.getDocumentationComment(checker))),
    }));
}

const { rows } = pageOf('docs/clients.md');

const isHead = ([, second]: string[]) => second === 'Type';

/** The rows between this head and the next table. */
function rowsUnder(name: string): string[][] {
  const start = rows.findIndex((row) => isHead(row) && row[0]?.startsWith(`\`${name}\``)) + 1;
  if (start === 0) throw new Error(`There is no table of ${name}.`);
  const rest = rows.slice(start);
  return rest.slice(
    0,
    rest.findIndex((row) => row.length !== 4 || isHead(row)),
  );
}

describe('the tables of options in docs/clients.md', () => {
  test.each(Object.entries(tables))(
    '%s has every option of its type, and no other',
    (name, type) => {
      const options = optionsOf(type);
      const documented = rowsUnder(name).map(([option = '', , byDefault = '']) => ({
        name: option.replaceAll('`', ''),
        isRequired: byDefault.startsWith('required'),
      }));
      const byName = (one: { name: string }, other: { name: string }) =>
        one.name.localeCompare(other.name);
      expect(documented.toSorted(byName)).toEqual(
        options
          .map(({ name: option, isRequired }) => ({ name: option, isRequired }))
          .toSorted(byName),
      );
    },
  );

  test.each(Object.entries(tables))('%s has the defaults of the comments', (name, type) => {
    const cells = new Map(
      rowsUnder(name).map(([option = '', , byDefault]) => [option.replaceAll('`', ''), byDefault]),
    );
    for (const { name: option, defaults } of optionsOf(type)) {
      for (const each of defaults) expect(cells.get(option), option).toContain(each);
    }
  });

  test('the defaults that are compared are numbers of the comments', () => {
    const compared = Object.values(tables).flatMap((table) =>
      optionsOf(table).flatMap(({ defaults }) => defaults),
    );
    expect(compared).toEqual(expect.arrayContaining(['120 000', '30 000', '900', '300', '1 000']));
  });
});
