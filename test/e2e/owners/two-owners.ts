import { SignJWT } from 'jose';
import { startTestApp, type TestApp } from '../../support/app.ts';
import {
  askForData,
  type Client,
  createLipsync,
  createLipsyncUntil,
  type Lipsync,
  withHeaders,
} from '../../support/lipsyncs.ts';
import { downloadVideo, uploadFile } from '../../support/uploads.ts';
import { wavHeader } from '../../support/wav.ts';

const jwtSecret = 'a secret of at least thirty-two bytes';
const own = 'lipsync:read lipsync:write';

export function signAs(sub: string, scope: string): Promise<string> {
  return new SignJWT({ scope, sub })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('12h')
    .sign(new TextEncoder().encode(jwtSecret));
}

export const patient = { timeout: 60_000, interval: 25 };

/** Two owners, each with objects of every kind. Bob must not find Ann's. */
export async function openTwoOwners(env: Record<string, string> = {}) {
  const startedAt = new Date();
  const it = await startTestApp({
    // No polls: every request to the upstream comes from a caller.
    env: {
      AUTH_JWT_SECRET: jwtSecret,
      MCP: 'true',
      IMPORT_TIMEOUT_MS: '600000',
      POLL_INTERVAL_MS: '600000',
      ...env,
    },
    sandbox: { accounts: [{ email: 'ann+bob@sandbox.example', maxJobs: 8 }] },
    // The file of an import is awaited for as long as the tests last.
    importWaits: { idleMs: 600_000 },
    // The clock is stopped: lists that are cached for a minute are never read again during a test.
    now: () => startedAt,
  });
  const tokens = {
    ann: await signAs('ann', `${own} videos:read videos:write`),
    bob: await signAs('bob', own),
    /** Bob with the scope for all videos. */
    bobSeesAll: await signAs('bob', `${own} videos:read`),
  };
  const people = { ann: createPerson(it, tokens.ann), bob: createPerson(it, tokens.bob) };
  const video = await downloadVideo(signedInAs(it, tokens.ann));
  const [annVideo, bobVideo, annSound, bobSound] = await Promise.all([
    people.ann.upload('VIDEO', video),
    people.bob.upload('VIDEO', video),
    people.ann.upload('AUDIO', sound),
    people.bob.upload('AUDIO', sound),
  ]);
  const finished = async (name: 'ann' | 'bob', uploadId: string, more: object = {}) => {
    const input = { video: { uploadId }, text: `I am ${name}.`, ...more };
    return createLipsyncUntil(signedInAs(it, tokens[name]), 'COMPLETED', input);
  };
  return {
    ...it,
    tokens,
    people,
    finished,
    uploads: { annVideo, bobVideo, annSound, bobSound },
  };
}

export type TwoOwners = Awaited<ReturnType<typeof openTwoOwners>>;

const sound = new Uint8Array(Buffer.concat([wavHeader(16_000), Buffer.alloc(16_000)]));

function signedInAs(it: TestApp, token: string): Client {
  return withHeaders(it, { authorization: `Bearer ${token}` });
}

export type Finished = Pick<Lipsync, 'id' | 'status' | 'result'>;

function createPerson(it: TestApp, token: string) {
  const client = signedInAs(it, token);
  return {
    /** The data; fails when there are `errors`. */
    ask: <Data>(query: string, variables: object = {}) =>
      askForData<Data>(client, query, { ...variables }),
    upload: (kind: 'AUDIO' | 'VIDEO', body: Uint8Array<ArrayBuffer>) =>
      uploadFile(client, kind, body),
    create: async (input: object): Promise<string> =>
      (await createLipsync(client, { ...input })).id,
  };
}
