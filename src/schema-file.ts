import { writeFile } from 'node:fs/promises';
import { printSdl } from './schema.ts';
import { printSchemaPage } from './schema-page.ts';

const sdl = printSdl();

/** `npm run schema`: writes `schema.graphql` and `docs/schema.md`. Both are committed. */
await writeFile(new URL('../schema.graphql', import.meta.url), sdl);
await writeFile(new URL('../docs/schema.md', import.meta.url), printSchemaPage(sdl));
