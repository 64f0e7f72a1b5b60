import { afterEach, beforeEach } from 'vitest';
import { type TestStorage, testStorage } from '../support/database.ts';
import { type Behaviour, fakeToken } from '../support/fake-upstream/behaviour.ts';
import { type FakeUpstream, startFakeUpstream } from '../support/fake-upstream/server.ts';
import { type Program, startProgram } from '../support/program.ts';

const email = 'night+shift@operators.example';

/** For each test of a file: a database folder, a fake upstream, and programs that are killed at the end. */
export function usePrograms(behaviour: Partial<Behaviour> = {}) {
  const running = new Set<Program>();
  let storage: TestStorage;
  let upstream: FakeUpstream;

  beforeEach(async () => {
    // A copy of an empty database: creating one takes the program seconds.
    storage = await testStorage();
    upstream = await startFakeUpstream({
      accounts: [{ email, maxJobs: 3 }],
      callbacks: 'none',
      schedulerId: 'id',
      ...behaviour,
    });
    upstream.addVideo(upstream.accounts[0]?.email ?? '', 'a face');
  });
  afterEach(async () => {
    for (const program of running) await program.kill('SIGKILL');
    running.clear();
    await upstream.close();
    await storage.remove();
  });

  function start(env: Record<string, string>): Program {
    const program = startProgram(env);
    running.add(program);
    return program;
  }

  return {
    get upstream() {
      return upstream;
    },
    get dataDir() {
      return storage.dataDir;
    },
    start,
    /** In live mode, on the fake upstream and the folder of the test. */
    startLive: (env: Record<string, string> = {}) =>
      start({
        USEAPI_TOKEN: fakeToken,
        USEAPI_BASE_URL: upstream.baseUrl,
        ALLOW_ANONYMOUS: 'true',
        DATA_DIR: storage.dataDir,
        PORT: '0',
        POLL_INTERVAL_MS: '800',
        ...env,
      }),
  };
}
