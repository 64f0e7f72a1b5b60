import { SignJWT } from 'jose';
import { expect } from 'vitest';
import { startTestApp, type TestApp } from '../../support/app.ts';
import {
  createLipsync,
  createLipsyncUntil,
  type Lipsync,
  withHeaders,
} from '../../support/lipsyncs.ts';
import { wavHeader } from '../../support/wav.ts';

const jwtSecret = 'a secret of at least thirty-two bytes';
const own = 'lipsync:read lipsync:write';

export function signAs(sub: string, scope: string): Promise<string> {
  return new SignJWT({ scope, sub })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('12h')
    .sign(new TextEncoder().encode(jwtSecret));
}

export const patient = { timeout: 15_000, interval: 25 };

/** Two owners, each with objects of every kind. Bob must not find Ann's. */
export async function openTwoOwners(env: Record<string, string> = {}) {
  const it = await startTestApp({
    // No polls: every request to the upstream comes from a caller.
    env: { AUTH_JWT_SECRET: jwtSecret, POLL_INTERVAL_MS: '600000', ...env },
    sandbox: { accounts: [{ email: 'ann+bob@sandbox.example', maxJobs: 8 }] },
  });
  const tokens = {
    ann: await signAs('ann', `${own} videos:read videos:write`),
    bob: await signAs('bob', own),
    /** Bob with the scope for all videos. */
    bobSeesAll: await signAs('bob', `${own} videos:read`),
  };
  const people = { ann: createPerson(it, tokens.ann), bob: createPerson(it, tokens.bob) };
  const [annVideo, bobVideo, annSound, bobSound] = await Promise.all([
    people.ann.upload('VIDEO', await firstVideo(it, tokens.ann)),
    people.bob.upload('VIDEO', await firstVideo(it, tokens.ann)),
    people.ann.upload('AUDIO', sound),
    people.bob.upload('AUDIO', sound),
  ]);
  const finished = async (name: 'ann' | 'bob', uploadId: string, more: object = {}) => {
    const client = withHeaders(it, { authorization: `Bearer ${tokens[name]}` });
    const input = { video: { uploadId }, text: `I am ${name}.`, ...more };
    return createLipsyncUntil(client, 'COMPLETED', input);
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

const sound = Buffer.concat([wavHeader(16_000), Buffer.alloc(16_000)]);

async function firstVideo(it: TestApp, token: string): Promise<Buffer> {
  type Data = { videos: { nodes: { url: string }[] } };
  const query = '{ videos(first: 1) { ... on VideoConnection { nodes { url } } } }';
  const { data } = await it.ask<Data>(query, {}, { authorization: `Bearer ${token}` });
  const response = await fetch(data?.videos.nodes[0]?.url ?? '');
  return Buffer.from(await response.arrayBuffer());
}

export type Finished = Pick<Lipsync, 'id' | 'status' | 'result'>;

function createPerson(it: TestApp, token: string) {
  const headers = { authorization: `Bearer ${token}` };
  /** The data; fails when there are `errors`. */
  async function ask<Data>(query: string, variables: object = {}): Promise<Data> {
    const { data, errors } = await it.ask<Data>(query, { ...variables }, headers);
    expect(errors).toBeUndefined();
    return data as Data;
  }
  return {
    ask,
    async upload(kind: 'AUDIO' | 'VIDEO', body: Buffer): Promise<string> {
      type Data = { createUpload: { upload: { id: string }; uploadUrl: string } };
      const contentType = kind === 'AUDIO' ? 'audio/wav' : 'video/mp4';
      const { createUpload } = await ask<Data>(
        `mutation ($input: CreateUploadInput!) { createUpload(input: $input) {
           ... on CreateUploadSuccess { upload { id } uploadUrl } } }`,
        { input: { kind, contentType } },
      );
      const { uploadUrl, upload } = createUpload;
      const { status } = await fetch(uploadUrl, { method: 'PUT', body: new Uint8Array(body) });
      expect(status).toBe(200);
      return upload.id;
    },
    async create(input: object): Promise<string> {
      return (await createLipsync(withHeaders(it, headers), { ...input })).id;
    },
  };
}
