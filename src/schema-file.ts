import { writeFile } from 'node:fs/promises';
import { printClientSdl, printSdl } from './schema.ts';
import { printSchemaPage } from './schema-page.ts';

const sdl = await printSdl();

/** `npm run schema`: writes `schema.graphql`, `client.graphql` and `docs/schema.md`. All are committed. */
await writeFile(new URL('../schema.graphql', import.meta.url), sdl);
await writeFile(new URL('../client.graphql', import.meta.url), printClientSdl());
await writeFile(new URL('../docs/schema.md', import.meta.url), printSchemaPage(sdl));
