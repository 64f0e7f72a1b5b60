// No library: fetch and EventSource, for anonymous callers. Run: node examples/run.ts event-source

import {
  type Example,
  type Failure,
  isProgress,
  type Outcome,
  outcomeOf,
  type Progress,
  type Update,
} from './example.ts';

const createLipsync = `
  mutation CreateLipsync($input: CreateLipsyncInput!) {
    createLipsync(input: $input) {
      ... on CreateLipsyncSuccess { lipsync { id status } }
      ... on LipsyncError { code message }
    }
  }
`;

const watchLipsync = `
  subscription WatchLipsync($id: ID!) {
    lipsyncProgress(id: $id) {
      __typename
      ... on LipsyncProgress {
        sequence status percent
        failure { code message }
        lipsync { id status result { id url } }
      }
      ... on LipsyncError { code message }
    }
  }
`;

type Answer<Data> = { data?: Data | null; errors?: { message: string }[] };

export const makeVideo: Example = async (url, { videoId, text }, onProgress) => {
  const input = {
    video: { videoId },
    speech: { script: { text } },
    idempotencyKey: crypto.randomUUID(),
  };
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: createLipsync, variables: { input } }),
  });
  const { data, errors } = (await response.json()) as Answer<{
    createLipsync: { lipsync: { id: string } } | Failure;
  }>;
  if (!data) throw new Error(errors?.[0]?.message);
  if ('code' in data.createLipsync) return data.createLipsync;
  return watchToEnd(url, data.createLipsync.lipsync.id, onProgress);
};

function watchToEnd(
  url: string,
  id: string,
  onProgress: (progress: Progress) => void,
): Promise<Outcome> {
  const search = new URLSearchParams({
    query: watchLipsync,
    variables: JSON.stringify({ id }),
  });
  // After a broken connection the browser reconnects by itself and resumes with `Last-Event-ID`.
  const stream = new EventSource(`${url}?${search}`);
  return new Promise<Outcome>((resolve, reject) => {
    stream.addEventListener('next', ({ data: text }) => {
      const { data, errors } = JSON.parse(text) as Answer<{ lipsyncProgress: Update }>;
      if (!data) return reject(new Error(errors?.[0]?.message));
      const update = data.lipsyncProgress;
      if (isProgress(update)) onProgress(update);
      const outcome = outcomeOf(update);
      if (outcome !== null) resolve(outcome);
    });
    stream.addEventListener('error', () => {
      if (stream.readyState === EventSource.CLOSED)
        reject(new Error('The server refused the stream.'));
    });
    // Otherwise the browser reconnects after the end too.
  }).finally(() => stream.close());
}
