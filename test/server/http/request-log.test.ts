import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestStorage, testStorage } from '../../support/database.ts';
import { type Program, startProgram } from '../../support/program.ts';

let storage: TestStorage;
let program: Program;
let url: string;
beforeAll(async () => {
  storage = await testStorage();
  program = startProgram({ PORT: '0', DATA_DIR: storage.dataDir });
  url = await program.url();
});
afterAll(async () => {
  await program?.kill('SIGKILL');
  await storage?.remove();
});

test('many requests of one endpoint do not hide those of another, and are counted when the process stops', async () => {
  const send = async (count: number, path: string) => {
    for (let sent = 0; sent < count; sent += 50) {
      const answers = Array.from({ length: Math.min(50, count - sent) }, () =>
        fetch(`${url}${path}`),
      );
      for (const answer of await Promise.all(answers)) await answer.text();
    }
  };
  await send(1_250, '/livez');
  await send(1, '/nowhere');
  await send(1, '/graphql');
  await program.kill('SIGTERM');
  const requests = program.lines.filter(({ msg }) => msg === 'request');
  const countOf = (path: string) => requests.filter((line) => line.path === path).length;
  expect([countOf('/livez'), countOf('…'), countOf('/graphql')]).toEqual([1_200, 1, 1]);
  expect(program.lines).toContainEqual(expect.objectContaining({ suppressed: 50, of: 'request' }));
});
