import { setTimeout as wait } from 'node:timers/promises';
import { decodedSounds, pick, wav } from './files.ts';
import type { Plan } from './plans.ts';
import type { Server } from './server.ts';

/** A lip-sync that was created, or the code of the failure that refused it. */
export type Created = { id: string } | { code: string };

type Answer = {
  code?: string;
  retryable?: boolean;
  retryAfterSeconds?: number | null;
  lipsync?: { id: string };
};

/** Transient failures, after which a client repeats the request with the same key. */
const maxAttempts = 8;

const batchSize = 3;

/** Asks for the lip-syncs of a plan: three through the entry `batch`, otherwise one. */
export async function createLipsyncs(
  server: Server,
  plan: Plan,
  number: number,
): Promise<Created[]> {
  const speech = await makeSpeech(server, plan, number);
  const base = {
    video: { videoId: pick(server.videoIds, number) },
    speech,
    ...(plan.receiver === 'none' ? {} : { callbackUrl: server.receivers.urlOf(plan.receiver) }),
  };
  const key = `soak ${number}`;
  if (plan.entry === 'batch') {
    const items = Array.from({ length: batchSize }, (_, at) => ({
      ...base,
      idempotencyKey: `${key} ${at}`,
    }));
    return createBatch(server, items);
  }
  const input = { ...base, idempotencyKey: key };
  const send = plan.entry === 'agent' ? askAgent : askMutation;
  return [toCreated(await repeated(() => send(server, input)))];
}

const resultFields = `... on CreateLipsyncSuccess { lipsync { id } } ... on OutcomeUnknownError { lipsync { id } }
  ... on LipsyncError { code retryable retryAfterSeconds }`;

async function askMutation(server: Server, input: object): Promise<Answer> {
  const { createLipsync } = await askForData<{ createLipsync: Answer }>(
    server,
    `mutation ($input: CreateLipsyncInput!) { createLipsync(input: $input) { ${resultFields} } }`,
    { input },
  );
  return createLipsync;
}

async function askAgent({ agent }: Server, input: object): Promise<Answer> {
  const answer = await retryOnReset(() => agent.call('create_lipsync', input));
  return answer.content as Answer;
}

/** The items with a transient failure are repeated one by one. */
async function createBatch(
  server: Server,
  items: readonly (object & { idempotencyKey: string })[],
): Promise<Created[]> {
  const { createLipsyncs: answer } = await askForData<{ createLipsyncs: { results: Answer[] } }>(
    server,
    `mutation ($items: [CreateLipsyncInput!]!) { createLipsyncs(input: { items: $items }) {
       ... on CreateLipsyncsSuccess { results { ${resultFields} } } } }`,
    { items },
  );
  return Promise.all(
    answer.results.map(async (result, at) =>
      toCreated(
        isPassing(result) ? await repeated(() => askMutation(server, items[at] ?? {})) : result,
      ),
    ),
  );
}

const isPassing = ({ lipsync, retryable = false }: Answer) => lipsync === undefined && retryable;

async function repeated(send: () => Promise<Answer>): Promise<Answer> {
  let answer = await send();
  for (let attempt = 1; isPassing(answer) && attempt < maxAttempts; attempt += 1) {
    await wait((answer.retryAfterSeconds ?? 1) * 1_000);
    answer = await send();
  }
  return answer;
}

function toCreated({ lipsync, code = 'no code' }: Answer): Created {
  return lipsync === undefined ? { code } : { id: lipsync.id };
}

/** A kept-alive connection can end while a request is being sent: a client sends it again, with the same key. */
export async function retryOnReset<Result>(send: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await send();
    } catch (error) {
      if (!isReset(error) || attempt === maxAttempts) throw error;
    }
  }
}

/** What `fetch` throws without an answer. */
export const isReset = (error: unknown): boolean =>
  error instanceof TypeError && error.message === 'fetch failed';

/** @throws if the answer has errors: no request of this traffic may cause one */
export async function askForData<Data>(
  { client }: Pick<Server, 'client'>,
  query: string,
  variables: Record<string, unknown>,
): Promise<Data> {
  const { data, errors } = await retryOnReset(() => client.ask<Data>(query, variables));
  if (data == null || errors !== undefined) throw new Error(JSON.stringify(errors));
  return data;
}

async function makeSpeech(server: Server, plan: Plan, number: number): Promise<object> {
  const { fault, speech } = plan;
  if (speech === 'text') {
    return { script: { text: `${fault === '' ? '' : `[[${fault}]] `}Number ${number}` } };
  }
  if (speech.endsWith('import')) return { url: server.files.urlOf(speech, number) };
  if (speech === 'form') return { uploadId: await uploadByForm(server) };
  const sound = speech === 'decoded upload' ? pick(decodedSounds, number) : wav;
  return { uploadId: await upload(server, sound) };
}

/** An upload that fails on the way to the video service fails at its client too, which begins again. */
async function upload(server: Server, { bytes, contentType }: typeof wav): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    const { createUpload } = await askForData<{
      createUpload: { upload: { id: string }; uploadUrl: string };
    }>(
      server,
      `mutation ($contentType: String!) { createUpload(input: { kind: AUDIO, contentType: $contentType }) {
         ... on CreateUploadSuccess { upload { id } uploadUrl } } }`,
      { contentType },
    );
    const sent = await fetch(createUpload.uploadUrl, { method: 'PUT', body: bytes });
    const text = await sent.text();
    if (sent.ok) return createUpload.upload.id;
    if (sent.status !== 502 || attempt === maxAttempts) {
      throw new Error(`The upload was answered ${sent.status}: ${text}`);
    }
  }
}

async function uploadByForm({ url }: Server): Promise<string> {
  const query = `mutation ($file: File!) { uploadAudio(file: $file) {
    ... on UploadAudioSuccess { upload { id } } ... on LipsyncError { code } } }`;
  for (let attempt = 1; ; attempt += 1) {
    const form = new FormData();
    form.set('operations', JSON.stringify({ query, variables: { file: null } }));
    form.set('map', '{ "0": ["variables.file"] }');
    form.set('0', new File([wav.bytes], 'a.wav', { type: wav.contentType }));
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'graphql-require-preflight': '1' },
      body: form,
    });
    const text = await response.text();
    type Answer = { data?: { uploadAudio?: { upload?: { id: string }; code?: string } } };
    const answer = (JSON.parse(text) as Answer).data?.uploadAudio;
    if (answer?.upload !== undefined) return answer.upload.id;
    if (answer?.code !== 'UPSTREAM_UNAVAILABLE' || attempt === maxAttempts) {
      throw new Error(`The form was answered ${text}.`);
    }
  }
}
