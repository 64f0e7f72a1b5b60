import { parseBody, request } from './http.ts';

export type Answer = {
  /** 0 = no answer. */
  status: number;
  /** Undefined without JSON. */
  body: unknown;
};

/** By endpoint, such as `GET /accounts/{email}`. Undefined: not read, because no account or video is known to read it for. */
export type Answers = Record<string, Answer | undefined>;

type Target = { baseUrl: string; token: string; timeoutMs: number };

/** Reads each GET endpoint once, with the first account and its newest finished video. */
export async function readAll({ baseUrl, token, timeoutMs }: Target): Promise<Answers> {
  const read = async (path: string): Promise<Answer> => {
    const headers = { authorization: `Bearer ${token}` };
    const answer = await request({ url: baseUrl + path, headers, timeoutMs });
    if (answer.kind === 'failed') return { status: 0, body: undefined };
    return { status: answer.status, body: parseBody(answer.text) };
  };
  const accounts = await read('/accounts');
  const emails = keysOf(accounts.body).filter((key) => key.includes('@'));
  const [email] = emails;
  const query = email === undefined ? '' : `?email=${encodeURIComponent(email)}`;
  const videos = await read(`/videos/${query}`);
  const id = findVideoId(videos.body);
  return {
    'GET /accounts': accounts,
    'GET /accounts/{email}': email === undefined ? undefined : await read(`/accounts/${email}`),
    'GET /features/': await read(`/features/${query}`),
    'GET /features/ without email': emails.length > 1 ? await read('/features/') : undefined,
    'GET /videos/': videos,
    'GET /videos/{id}': id === undefined ? undefined : await read(`/videos/${id}`),
    'GET /videos/{id} of an unknown video':
      id === undefined ? undefined : await read(`/videos/${unknownId(id)}`),
    'GET /videos/{id} percent-encoded':
      id === undefined ? undefined : await read(`/videos/${encodeURIComponent(id)}`),
    'GET /videos/voices/': await read(`/videos/voices/${query}`),
    'GET /scheduler/': await read('/scheduler/'),
    'GET /scheduler/available': await read('/scheduler/available'),
  };
}

/** The items of GET /videos. */
export function itemsOf(body: unknown): Record<string, unknown>[] {
  const data = isObject(body) ? body.data : undefined;
  return Array.isArray(data) ? data.filter(isObject) : [];
}

function findVideoId(body: unknown): string | undefined {
  const items = itemsOf(body);
  const finished = items.find((item) => item.video_status_name === 'COMPLETED') ?? items[0];
  return typeof finished?.video_id === 'string' ? finished.video_id : undefined;
}

/** The same account, and a number that no video has. */
function unknownId(id: string): string {
  return id.replace(/\d+$/, '1');
}

function keysOf(value: unknown): string[] {
  return isObject(value) ? Object.keys(value) : [];
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
