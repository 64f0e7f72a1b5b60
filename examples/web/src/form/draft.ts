import { useSessionStorage } from '@mantine/hooks';
import type { CreateLipsyncInput } from 'lipsync-graphql-client';

export type SpeechKind = 'TEXT' | 'FILE' | 'RECORDING';

/** The video whose person speaks. */
export type ChosenVideo = {
  source: 'LISTED' | 'UPLOADED';
  id: string;
  name: string;
  /** The server still fetches it. A lip-sync can name it and waits for it. */
  isArriving?: boolean;
};

/** An audio file that the server has received. */
export type UploadedAudio = {
  uploadId: string;
  name: string;
  seconds: number | null;
  /** The server still fetches it. A lip-sync can name it and waits for it. */
  isArriving?: boolean;
};

/** What an earlier request had and this form has no field for. It is sent again unless the user removes it. */
export type FurtherSettings = Pick<
  CreateLipsyncInput,
  'maxJobs' | 'maxCredits' | 'callbackUrl' | 'callbackEvents'
>;

/** The content of the form. It is stored for the tab, so that it survives a reload. */
export type Draft = {
  video: ChosenVideo | null;
  speech: SpeechKind;
  text: string;
  voiceId: string | null;
  file: UploadedAudio | null;
  recording: UploadedAudio | null;
  /** Of files on the web, as entered. */
  videoUrl: string;
  audioUrl: string;
  /** Null = not chosen: the video service decides. */
  keepOriginalSound: boolean | null;
  isOffPeak: boolean;
  waitsInQueue: boolean;
  reference: string;
  further: FurtherSettings;
  /** What an earlier request had and is no longer there, in words. */
  videoNote: string | null;
  speechNote: string | null;
};

export const emptyDraft: Draft = {
  video: null,
  speech: 'TEXT',
  text: '',
  voiceId: null,
  file: null,
  recording: null,
  videoUrl: '',
  audioUrl: '',
  keepOriginalSound: null,
  isOffPeak: false,
  waitsInQueue: true,
  reference: '',
  further: {},
  videoNote: null,
  speechNote: null,
};

export type Change = (part: Partial<Draft>) => void;

export function useDraft(): [Draft, Change] {
  const [draft, setDraft] = useSessionStorage({
    key: 'draft',
    defaultValue: emptyDraft,
    getInitialValueInEffect: false,
  });
  // A tab may hold the draft of an earlier version of this page.
  return [
    { ...emptyDraft, ...draft },
    (part) => setDraft((before) => ({ ...before, ...withoutStaleNotes(part) })),
  ];
}

/** A note says what is missing, so it goes when that has been chosen. */
function withoutStaleNotes(part: Partial<Draft>): Partial<Draft> {
  const { file, recording } = part;
  return file == null && recording == null
    ? part
    : { ...part, speechNote: part.speechNote ?? null };
}

/** The limit of the video service. */
export const maxCharacters = 200;

/** Counts like the server: an emoji is one character. */
export function countCharacters(text: string): number {
  return [...text].length;
}

/** What is missing or invalid, by field. */
export type Problems = { video?: string; speech?: string };

export function problemsOf(draft: Draft): Problems {
  return {
    ...(draft.video === null ? { video: 'Choose or upload a video.' } : {}),
    ...speechProblem(draft),
  };
}

function speechProblem({ speech, text, file, recording }: Draft): Problems {
  if (speech === 'FILE') return file === null ? { speech: 'Choose an audio file.' } : {};
  if (speech === 'RECORDING') {
    return recording === null ? { speech: 'Record your speech.' } : {};
  }
  if (text.trim() === '') return { speech: 'Enter the text to speak.' };
  const over = countCharacters(text) - maxCharacters;
  return over > 0 ? { speech: `The text is ${over} characters too long.` } : {};
}

/** @throws Error if `problemsOf` finds a problem */
export function inputOf(draft: Draft): CreateLipsyncInput {
  const { video, keepOriginalSound, isOffPeak, waitsInQueue, reference, further } = draft;
  if (video === null) throw new Error('The draft has no video.');
  return {
    video: video.source === 'LISTED' ? { videoId: video.id } : { uploadId: video.id },
    speech: speechOf(draft),
    ...further,
    ...(keepOriginalSound === null ? {} : { keepOriginalSound }),
    ...(isOffPeak ? { offPeak: true } : {}),
    ...(reference.trim() === '' ? {} : { reference: reference.trim() }),
    whenBusy: waitsInQueue ? 'QUEUE' : 'FAIL',
  };
}

function speechOf({ speech, text, voiceId, file, recording }: Draft): CreateLipsyncInput['speech'] {
  if (speech === 'TEXT') return { script: { text, voiceId } };
  const audio = speech === 'FILE' ? file : recording;
  if (audio === null) throw new Error('The draft has no audio.');
  return { uploadId: audio.uploadId };
}
