import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { idOf } from '../../support/lipsync-app.ts';
import { openFleet } from './fleet.ts';

const migrations = join(import.meta.dirname, '../../../src/database/migrations');

describe('works', () => {
  it('migrates an empty database once when several instances start on it at the same time', async () => {
    const fleet = await openFleet();
    try {
      const [here, there] = await Promise.all([fleet.start(), fleet.start(), fleet.spawn()]);
      const applied = await here.app.db.query<{ name: string }>(
        'select name from schema_migrations order by name collate "C"',
      );
      expect(applied.map(({ name }) => name)).toEqual((await readdir(migrations)).sort());
      // One generated secret: every instance accepts what another one signed.
      expect(
        await here.app.db.query("select 1 from settings where name like 'callback%'"),
      ).toHaveLength(1);
      expect(here.logs.filter(({ level }) => level === 'error')).toEqual([]);
      const made = await here.create({
        video: { videoId: await there.source() },
        speech: { script: { text: 'Hello' } },
      });
      expect(await there.waitForEnd(idOf(made))).toMatchObject({ status: 'COMPLETED' });
    } finally {
      await fleet.stop();
    }
  });
});
