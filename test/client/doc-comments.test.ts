import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../../packages/client/src');
const entries = ['client.ts', 'backend/server.ts', 'react/react.ts'].map((each) =>
  join(root, each),
);

const program = ts.createProgram(entries, {
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  target: ts.ScriptTarget.ES2024,
  lib: ['lib.es2024.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
  allowImportingTsExtensions: true,
  noEmit: true,
  strict: true,
  types: [],
});
const checker = program.getTypeChecker();

function exportsOf(entry: string): ts.Symbol[] {
  const file = program.getSourceFile(entry);
  const module = file === undefined ? undefined : checker.getSymbolAtLocation(file);
  return module === undefined ? [] : checker.getExportsOfModule(module);
}

function resolve(symbol: ts.Symbol): ts.Symbol {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}

const isDocumented = (symbol: ts.Symbol) => symbol.getDocumentationComment(checker).length > 0;

/** The options that a caller writes: each property says its unit and its default where it has one. */
function optionsIn(symbol: ts.Symbol): ts.Symbol[] {
  return /Options$|^Lipsync(Server|Hooks)$|^BackOff$|Claims$|Props$/.test(symbol.name)
    ? checker.getDeclaredTypeOfSymbol(symbol).getProperties()
    : [];
}

describe('what an editor shows of the kit', () => {
  test.each(entries)('every export of %s has a comment', (entry) => {
    const exported = exportsOf(entry).map(resolve);
    expect(exported.length).toBeGreaterThan(5);
    const bare = exported.filter((each) => !isDocumented(each)).map(({ name }) => name);
    expect(bare).toEqual([]);
  });

  test('so has every option', () => {
    const types = entries.flatMap(exportsOf).map(resolve);
    const options = types.flatMap((type) =>
      optionsIn(type).map((option) => ({ name: `${type.name}.${option.name}`, option })),
    );
    expect(options.length).toBeGreaterThan(20);
    const bare = options.filter(({ option }) => !isDocumented(option)).map(({ name }) => name);
    expect(bare).toEqual([]);
  });

  test('a function that sends requests says what it throws', () => {
    const functions = exportsOf(entries[0] ?? '')
      .map(resolve)
      .filter((each) => /Lipsyncs?(OrThrow)?$|^uploadFile$|^importUpload$|^viewer$/.test(each.name))
      .filter((each) => each.flags & ts.SymbolFlags.Function);
    expect(functions.length).toBeGreaterThan(12);
    for (const each of functions) {
      const thrown = each
        .getJsDocTags(checker)
        .filter(({ name }) => name === 'throws')
        .map(({ text }) => ts.displayPartsToString(text))
        .join();
      for (const error of ['LipsyncConnectionError', 'LipsyncServerError', 'LipsyncRequestError']) {
        expect(thrown, each.name).toContain(error);
      }
    }
  });
});
