import { readFile } from 'node:fs/promises';
import { type ASTNode, Kind, parse, visit } from 'graphql';
import { describe, expect, test } from 'vitest';
import { printSdl } from '../src/schema.ts';
import { printSchemaPage } from '../src/schema-page.ts';
import { readMarkdown } from './support/markdown.ts';

const sdl = await printSdl();

/** The section of a type or directive: from its heading to the next. */
function sectionOf(page: string, name: string): string {
  const [, rest = ''] = page.split(new RegExp(`^#{2,3} ${name}$`, 'm'));
  return rest.split(/^#/m)[0]?.trim() ?? '';
}

describe('works', () => {
  test('the committed docs/schema.md is up to date; `npm run schema` writes it', async () => {
    expect(await readFile('docs/schema.md', 'utf8')).toBe(printSchemaPage(sdl));
  });

  test('the page has a section for every type and contains every description', () => {
    const page = printSchemaPage(sdl);
    const { headings } = readMarkdown(page);
    const said: string[] = [];
    visit(parse(sdl), {
      enter(node: ASTNode) {
        if ('description' in node && node.description) said.push(node.description.value);
      },
    });
    const oneLine = (text: string) => text.replace(/\s+/g, ' ');
    expect(said.length).toBeGreaterThan(300);
    expect(said.filter((words) => !page.includes(oneLine(words)))).toEqual([]);
    const names = parse(sdl).definitions.flatMap((each) => {
      if (!('name' in each) || each.name === undefined) return [];
      return each.kind === Kind.DIRECTIVE_DEFINITION ? `@${each.name.value}` : each.name.value;
    });
    expect(headings).toEqual(expect.arrayContaining(names));
  });

  test('the page shows arguments, defaults, directives and links to types', () => {
    const page = printSchemaPage(`
      type Query {
        "Some books."
        books("How many." first: Int = 20, "Which." by: [Filter!]): [Book!]! @cost(weight: 3)
      }
      "What is read."
      type Book @key(fields: "id") { "Its number." id: ID! }
      "All that is given must hold."
      input Filter { "A part of its title." title: String = "any" }
    `);
    expect(sectionOf(page, 'Query')).toBe(
      [
        '- **`books`**: [`[Book!]!`](#book). Some books. `@cost(weight: 3)`',
        '  - `first`: `Int` = `20`. How many.',
        '  - `by`: [`[Filter!]`](#filter). Which.',
      ].join('\n'),
    );
    expect(sectionOf(page, 'Book')).toBe(
      'What is read. `@key(fields: "id")`\n\n- **`id`**: `ID!`. Its number.',
    );
    expect(sectionOf(page, 'Filter')).toContain(
      '- `title`: `String` = `"any"`. A part of its title.',
    );
    expect(readMarkdown(page).headings).not.toContain('Enums');
  });

  test('a deprecated field shows its reason', () => {
    const page = printSchemaPage(`
      type Query { "A poem." poem: String @deprecated(reason: "Until 2027-06-30: use \`text\`.") }
      enum Form { "Fourteen lines." SONNET @deprecated(reason: "Until 2027-06-30: use \`POEM\`.") }
    `);
    const note = '**Deprecated.** Until 2027-06-30: use';
    expect(sectionOf(page, 'Query')).toBe(`- **\`poem\`**: \`String\`. A poem. ${note} \`text\`.`);
    expect(sectionOf(page, 'Form')).toContain(`- \`SONNET\`: Fourteen lines. ${note} \`POEM\`.`);
  });

  test('a field that is identical in the interface is documented once', () => {
    const page = printSchemaPage(`
      "A failure." interface Failure { "Why." message: String! "Of old." code: Int }
      "Too late." type Late implements Failure { "Why." message: String! "Of now." code: Int! }
      union Answer = Late
    `);
    expect(sectionOf(page, 'Failure')).toBe(
      'A failure.\n\nImplemented by [`Late`](#late).\n\n- **`message`**: `String!`. Why.\n- **`code`**: `Int`. Of old.',
    );
    expect(sectionOf(page, 'Late')).toBe(
      'Too late.\n\nHas the fields of [`Failure`](#failure).\n\n- **`code`**: `Int!`. Of now.',
    );
    expect(sectionOf(page, 'Answer')).toContain('One of [`Late`](#late).');
  });
});
