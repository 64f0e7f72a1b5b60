import { writeFile } from 'node:fs/promises';
import { sdl } from './schema.ts';

/** `npm run schema`: writes the SDL that is committed as `schema.graphql`. */
await writeFile(new URL('../schema.graphql', import.meta.url), sdl);
