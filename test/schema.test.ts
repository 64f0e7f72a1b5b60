import { readFile } from 'node:fs/promises';
import { type ASTNode, isInterfaceType, Kind, parse, print } from 'graphql';
import { describe, expect, test } from 'vitest';
import { failureCodes } from '../src/errors.ts';
import { printSdl, schema } from '../src/schema.ts';
import { entityRules, type Rule, rules } from './e2e/owners/fields.ts';

const sdl = await printSdl();

describe('works', () => {
  test('the committed schema.graphql is up to date; `npm run schema` writes it', async () => {
    expect(await readFile('schema.graphql', 'utf8')).toBe(sdl);
  });

  test('every error code has a type, named after it', () => {
    const words = (code: string) =>
      code.split('_').map((word) => word.charAt(0) + word.slice(1).toLowerCase());
    const names = failureCodes.map((code) => `${words(code).join('')}Error`);
    const LipsyncError = schema.getType('LipsyncError');
    const kinds = isInterfaceType(LipsyncError) ? schema.getPossibleTypes(LipsyncError) : [];
    expect(kinds.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
  });

  test('the oneOf inputs are declared in the schema and in the SDL', () => {
    for (const name of ['LipsyncVideoInput', 'LipsyncSpeechInput']) {
      expect(schema.getType(name)).toMatchObject({ isOneOf: true });
      expect(sdl).toContain(`input ${name} @oneOf {`);
    }
    expect(sdl).toContain('directive @oneOf on INPUT_OBJECT');
  });
});

describe('keeps out', () => {
  test('definitions without a description', () => {
    expect(
      parse(sdl).definitions.flatMap((definition) => pathsWithoutDescription(definition)),
    ).toEqual([]);
  });

  // Other tests verify that `rules` and `entityRules` are complete and enforced on every transport.
  test('fields for operators from contracts: exactly these are tagged admin', () => {
    const needsAdmin = ({ needs }: Rule) => needs.length === 1 && needs[0] === 'admin';
    const forOperators = Object.entries({ ...rules, ...entityRules }).flatMap(([path, rule]) =>
      needsAdmin(rule) ? [path] : [],
    );
    expect(forOperators).toContain('Query.accounts');
    const tagged = parse(sdl).definitions.flatMap((definition) => taggedPaths(definition));
    const asked = tagged.filter((path) => path.includes('.') || path in entityRules);
    expect(asked.toSorted()).toEqual(forOperators.toSorted());
  });
});

function taggedPaths(node: object, owner = ''): string[] {
  const { name, directives = [], fields = [] } = node as Described;
  const path = owner === '' ? `${name?.value}` : `${owner}.${name?.value}`;
  const isTagged = directives.some((each) => print(each) === '@tag(name: "admin")');
  return [...(isTagged ? [path] : []), ...fields.flatMap((field) => taggedPaths(field, path))];
}

/** The parts of type, field, argument and value definitions that these functions read. */
type Described = {
  kind: string;
  name?: { value: string };
  directives?: readonly ASTNode[];
  description?: unknown;
  fields?: readonly Described[];
  values?: readonly Described[];
  arguments?: readonly Described[];
};

function pathsWithoutDescription(node: object, owner = ''): string[] {
  const { kind, name, description, fields, values, arguments: args } = node as Described;
  if (kind === Kind.SCHEMA_EXTENSION) return [];
  const path = `${owner}.${name?.value}`;
  const inside = [fields, values, args].flatMap((nodes) => nodes ?? []);
  return [
    ...(description === undefined ? [path] : []),
    ...inside.flatMap((child) => pathsWithoutDescription(child, path)),
  ];
}
