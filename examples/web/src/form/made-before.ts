import type { Client } from 'urql';
import { graphql, type ResultOf } from '../session/graphql.ts';
import { type Draft, emptyDraft, type FurtherSettings } from './draft.ts';
import { nameOf } from './upload-name.ts';

const requestQuery = graphql(`
  query LipsyncRequest($id: ID!) {
    lipsync(id: $id) {
      text reference keepOriginalSound offPeak maxJobs maxCredits callbackUrl callbackEvents
      voice { id }
      sourceVideo { id prompt url }
      sourceUpload { id filename status sourceUrl }
      speechUpload { id filename status sourceUrl durationSeconds }
    }
  }
`);

type MadeBefore = NonNullable<ResultOf<typeof requestQuery>['lipsync']>;

/** Reads the input of the lip-sync. Not from the cache, because uploads and videos may have been deleted since. */
export async function readMadeBefore(client: Client, id: string) {
  const { data, error } = await client
    .query(requestQuery, { id }, { requestPolicy: 'network-only' })
    .toPromise();
  return { request: data?.lipsync ?? null, error };
}

/** The form with the input of this lip-sync. `expiresAt` is not repeated: that time may have passed. */
export function draftOf(request: MadeBefore): Draft {
  return {
    ...emptyDraft,
    ...videoOf(request),
    ...speechOf(request),
    keepOriginalSound: request.keepOriginalSound,
    isOffPeak: request.offPeak,
    reference: request.reference ?? '',
    further: furtherOf(request),
  };
}

function videoOf({ sourceVideo, sourceUpload }: MadeBefore): Partial<Draft> {
  if (sourceVideo !== null) {
    const { id, prompt, url } = sourceVideo;
    return url === null
      ? { videoNote: 'The video of that lip-sync was deleted. Choose another one.' }
      : { video: { source: 'LISTED', id, name: prompt ?? 'Untitled' } };
  }
  if (sourceUpload === null) {
    return {
      videoNote:
        'The uploaded video of that lip-sync is no longer stored. Upload it again, or choose another one.',
    };
  }
  const { id, status, sourceUrl } = sourceUpload;
  const videoUrl = sourceUrl ?? '';
  if (isUsable(status)) {
    const name = nameOf(sourceUpload);
    const isArriving = status === 'RECEIVING';
    return { video: { source: 'UPLOADED', id, name, isArriving }, videoUrl };
  }
  return { videoUrl, videoNote: noteOfFailed('video', sourceUrl) };
}

function speechOf({ text, voice, speechUpload }: MadeBefore): Partial<Draft> {
  if (text !== null) return { speech: 'TEXT', text, voiceId: voice?.id ?? null };
  if (speechUpload === null) {
    return {
      speech: 'FILE',
      speechNote: 'The audio of that lip-sync is no longer stored. Choose the file again.',
    };
  }
  const { id, status, sourceUrl, durationSeconds } = speechUpload;
  const audioUrl = sourceUrl ?? '';
  if (isUsable(status)) {
    const isArriving = status === 'RECEIVING';
    const file = { uploadId: id, name: nameOf(speechUpload), seconds: durationSeconds, isArriving };
    return { speech: 'FILE', file, audioUrl };
  }
  return { speech: 'FILE', audioUrl, speechNote: noteOfFailed('audio', sourceUrl) };
}

function isUsable(status: string): boolean {
  return status === 'READY' || status === 'RECEIVING';
}

function noteOfFailed(file: 'video' | 'audio', url: string | null): string {
  return url === null
    ? `The ${file} of that lip-sync did not arrive. Choose the file again.`
    : `The ${file} of that lip-sync could not be fetched. Check its URL and fetch it again.`;
}

function furtherOf(request: MadeBefore): FurtherSettings {
  const { maxJobs, maxCredits, callbackUrl, callbackEvents } = request;
  return {
    ...(maxJobs === null ? {} : { maxJobs }),
    ...(maxCredits === null ? {} : { maxCredits }),
    ...(callbackUrl === null ? {} : { callbackUrl, callbackEvents }),
  };
}
