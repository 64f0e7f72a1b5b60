import { useSessionStorage } from '@mantine/hooks';
import type { CreateLipsyncInput } from 'lipsync-graphql-client';

export type SpeechKind = 'TEXT' | 'FILE' | 'RECORDING';

/** Whose person shall speak. */
export type ChosenVideo = {
  source: 'LISTED' | 'UPLOADED';
  id: string;
  name: string;
};

/** A sound that the server has. */
export type SentSound = { uploadId: string; name: string; seconds: number | null };

/** What the form holds. It is kept for the tab, so that a reload loses no word. */
export type Draft = {
  video: ChosenVideo | null;
  speech: SpeechKind;
  text: string;
  voiceId: string | null;
  file: SentSound | null;
  recording: SentSound | null;
  keepsOriginalSound: boolean;
  isOffPeak: boolean;
  waitsInLine: boolean;
  reference: string;
};

const emptyDraft: Draft = {
  video: null,
  speech: 'TEXT',
  text: '',
  voiceId: null,
  file: null,
  recording: null,
  keepsOriginalSound: false,
  isOffPeak: false,
  waitsInLine: true,
  reference: '',
};

export type Change = (part: Partial<Draft>) => void;

export function useDraft(): [Draft, Change] {
  const [draft, setDraft] = useSessionStorage({
    key: 'draft',
    defaultValue: emptyDraft,
    getInitialValueInEffect: false,
  });
  return [draft, (part) => setDraft((before) => ({ ...before, ...part }))];
}

/** The video service speaks no more. */
export const mostCharacters = 200;

/** As the server counts: an emoji is one character. */
export function countCharacters(text: string): number {
  return [...text].length;
}

/** What is missing before it can be asked for, by field. */
export type Problems = { video?: string; speech?: string };

export function problemsOf(draft: Draft): Problems {
  return {
    ...(draft.video === null ? { video: 'Choose a video, or upload one of your own.' } : {}),
    ...speechProblem(draft),
  };
}

function speechProblem({ speech, text, file, recording }: Draft): Problems {
  if (speech === 'FILE') return file === null ? { speech: 'Choose an audio file.' } : {};
  if (speech === 'RECORDING') {
    return recording === null ? { speech: 'Record what shall be said.' } : {};
  }
  if (text.trim() === '') return { speech: 'Type what shall be said.' };
  const over = countCharacters(text) - mostCharacters;
  return over > 0 ? { speech: `That is ${over} characters too long.` } : {};
}

/** @throws where `problemsOf` tells of any */
export function inputOf(draft: Draft): CreateLipsyncInput {
  const { video, keepsOriginalSound, isOffPeak, waitsInLine, reference } = draft;
  if (video === null) throw new Error('No video is chosen.');
  return {
    video: video.source === 'LISTED' ? { id: video.id } : { uploadId: video.id },
    speech: speechOf(draft),
    ...(keepsOriginalSound ? { keepOriginalSound: true } : {}),
    ...(isOffPeak ? { offPeak: true } : {}),
    ...(reference.trim() === '' ? {} : { reference: reference.trim() }),
    whenBusy: waitsInLine ? 'QUEUE' : 'FAIL',
  };
}

function speechOf({ speech, text, voiceId, file, recording }: Draft): CreateLipsyncInput['speech'] {
  if (speech === 'TEXT') return { text: { text, voiceId } };
  const sound = speech === 'FILE' ? file : recording;
  if (sound === null) throw new Error('No sound is chosen.');
  return { audioUploadId: sound.uploadId };
}
