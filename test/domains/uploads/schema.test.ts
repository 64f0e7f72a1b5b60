import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import '../../../src/domains/uploads/create-schema.ts';
import '../../../src/domains/uploads/schema.ts';
import '../../../src/graphql/scalars.ts';
import { builder } from '../../../src/graphql/builder.ts';
import { type AskOptions, askSchema } from '../../support/ask-schema.ts';
import { openUploadHarness, put, type UploadHarness, wav } from './upload-harness.ts';

// Only this slice is loaded, and its Subscription type would be invalid without a field.
builder.subscriptionField('silence', (t) =>
  t.boolean({ subscribe: async function* () {}, resolve: () => true }),
);
const schema = builder.toSchema();

let harness: UploadHarness;
beforeAll(async () => {
  harness = await openUploadHarness();
});
afterAll(() => harness.close());

type Answer = { data?: unknown; errors?: readonly { extensions: object }[] };

const ask = (source: string, options: AskOptions = {}) =>
  askSchema<Answer>({ schema, services: { uploads: harness.uploads } }, source, options);

const createUpload = /* GraphQL */ `
  mutation ($input: CreateUploadInput!) {
    createUpload(input: $input) {
      __typename
      ... on CreateUploadSuccess {
        uploadUrl
        upload { id kind status contentType size filename durationSeconds createdAt expiresAt failure { code } }
      }
      ... on InvalidInputError { code issues { path message } }
      ... on LipsyncError { code }
    }
  }
`;
const readUpload = /* GraphQL */ `
  query ($id: ID!) {
    upload(id: $id) { __typename id status size durationSeconds expiresAt failure { code message retryable } }
    node(id: $id) { id }
  }
`;
const uploadAudio = /* GraphQL */ `
  mutation ($file: File!) {
    uploadAudio(file: $file) {
      __typename
      ... on UploadAudioSuccess { upload { id status kind durationSeconds } }
      ... on InvalidInputError { issues { path message } }
      ... on RateLimitedError { code retryAfterSeconds }
      ... on LipsyncError { retryable }
    }
  }
`;

type Created = { createUpload: { uploadUrl: string; upload: { id: string } } };

async function create(): Promise<Created['createUpload']> {
  const variables = { input: { kind: 'AUDIO', contentType: 'audio/wav', size: 32_044 } };
  const { data } = await ask(createUpload, { variables });
  return (data as Created).createUpload;
}

describe('works', () => {
  it('creates an upload, receives its file, and shows it as READY', async () => {
    const { upload, uploadUrl } = await create();
    expect(upload).toMatchObject({
      kind: 'AUDIO',
      status: 'WAITING',
      contentType: 'audio/wav',
      size: 32_044,
      filename: null,
      expiresAt: '2026-11-23T13:00:00.000Z',
      failure: null,
    });
    expect(await put(uploadUrl, wav(2))).toMatchObject({ status: 200, id: upload.id });
    const { data } = await ask(readUpload, { variables: { id: upload.id } });
    expect(data).toMatchObject({
      upload: { status: 'READY', durationSeconds: 2, expiresAt: null, failure: null },
      node: { id: upload.id },
    });
  });

  it('shows why a file was rejected', async () => {
    const { upload, uploadUrl } = await create();
    await put(uploadUrl, Buffer.alloc(32_044, 'a'));
    const { data } = await ask(readUpload, { variables: { id: upload.id } });
    expect(data).toMatchObject({
      upload: { status: 'FAILED', failure: { code: 'INVALID_INPUT' } },
    });
  });

  it('accepts a small audio file within the request', async () => {
    const file = new File([wav(3)], 'a.wav', { type: 'audio/wav' });
    const { data } = await ask(uploadAudio, { variables: { file } });
    expect(data).toMatchObject({
      uploadAudio: { upload: { status: 'READY', kind: 'AUDIO', durationSeconds: 3 } },
    });
  });
});

describe('refuses', () => {
  it('an invalid input as a member of the union', async () => {
    const input = { kind: 'AUDIO', contentType: 'text/plain' };
    const { data, errors } = await ask(createUpload, { variables: { input } });
    expect(errors).toBeUndefined();
    expect(data).toMatchObject({
      createUpload: {
        __typename: 'InvalidInputError',
        issues: [{ path: ['input', 'contentType'] }],
      },
    });
  });

  it('a file that is not audio, and a file that the upstream rejects', async () => {
    const text = new File(['text'], 'a.wav', { type: 'audio/wav' });
    expect((await ask(uploadAudio, { variables: { file: text } })).data).toMatchObject({
      uploadAudio: { __typename: 'InvalidInputError', issues: [{ path: ['file'] }] },
    });
    await harness.switches({ failPath: { path: '/files', status: 429, body: {} } });
    const file = new File([wav(1)], 'a.wav');
    expect((await ask(uploadAudio, { variables: { file } })).data).toMatchObject({
      uploadAudio: { code: 'RATE_LIMITED', retryAfterSeconds: expect.any(Number) },
    });
  });

  it.each([
    [412, 'InsufficientCreditsError'],
    [422, 'ContentModeratedError'],
  ])('a file that the upstream rejects with %i as %s', async (status, typename) => {
    await harness.switches({ failPath: { path: '/files', status, body: {} } });
    const file = new File([wav(1)], 'a.wav');
    const { data, errors } = await ask(uploadAudio, { variables: { file } });
    expect(errors).toBeUndefined();
    expect(data).toMatchObject({ uploadAudio: { __typename: typename, retryable: false } });
  });

  it('a part of a file, and then accepts the whole file', async () => {
    const { upload, uploadUrl } = await create();
    const sound = wav(2);
    const part = sound.subarray(0, 16_044);
    const headers = { 'content-range': `bytes 0-16043/${sound.byteLength}` };
    expect(await put(uploadUrl, part, headers)).toMatchObject({
      status: 400,
      code: 'INVALID_INPUT',
    });
    const { data } = await ask(readUpload, { variables: { id: upload.id } });
    expect(data).toMatchObject({ upload: { status: 'WAITING' } });
    const whole = { 'content-range': `bytes 0-32043/${sound.byteLength}` };
    expect(await put(uploadUrl, sound.subarray(0, 32_044), whole)).toMatchObject({ status: 200 });
  });
});

describe('keeps out', () => {
  it("another owner's id, with the same result as a missing or invalid id", async () => {
    const { upload } = await create();
    const idOf = (text: string) => Buffer.from(text).toString('base64url');
    const missing = idOf('Upload:00000000-0000-4000-8000-000000000000');
    const ids = [upload.id, missing, idOf('Upload:rubbish'), 'rubbish', '', idOf('Lipsync:1')];
    const answers = await Promise.all(
      ids.map((id) =>
        ask(readUpload.replace('node(id: $id) { id }', ''), {
          owner: 'key:bob',
          variables: { id },
        }),
      ),
    );
    for (const answer of answers) expect(answer).toEqual({ data: { upload: null } });
    const asNode = await ask('query ($id: ID!) { node(id: $id) { id } }', {
      owner: 'key:bob',
      variables: { id: upload.id },
    });
    expect(asNode).toEqual({ data: { node: null } });
  });

  it('callers without the scope', async () => {
    const input = { kind: 'AUDIO', contentType: 'audio/wav' };
    const asAnonymous = { owner: 'nobody', scopes: [], variables: { input } };
    expect((await ask(createUpload, asAnonymous)).data).toMatchObject({
      createUpload: { code: 'NOT_AUTHENTICATED' },
    });
    const asReader: AskOptions = { scopes: ['lipsync:read'], variables: { input } };
    expect((await ask(createUpload, asReader)).data).toMatchObject({
      createUpload: { code: 'NOT_AUTHORIZED' },
    });
    const { upload } = await create();
    const asWriter: AskOptions = { scopes: ['lipsync:write'], variables: { id: upload.id } };
    const { data, errors } = await ask(readUpload, asWriter);
    expect(data).toMatchObject({ upload: null, node: null });
    expect(errors).toHaveLength(2);
  });
});
