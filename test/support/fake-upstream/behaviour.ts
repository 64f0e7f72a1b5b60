/** How the upstream behaves where its documents leave a choice, or do not match what was seen of it. */
export type Behaviour = {
  accounts: FakeAccount[];
  /** The order of GET /videos, which no document gives. */
  order: 'newest' | 'oldest';
  /** The id's name in GET /scheduler/: of December 2024 or of March 2026. */
  schedulerId: 'videoId' | 'id';
  /** The answer of GET one for a job that still runs. */
  running: 404 | 200;
  /** Whether pages of GET /videos give the offset of the next page, and whether there is one. */
  pageHints:
    | 'nothing'
    | 'next_offset'
    | 'next_offset and has_more'
    | 'next_offset on every page'
    | 'always more';
  /** The maximum length of a page, whatever limit is asked for. */
  pageLimit: number;
  /** Whether error bodies of other endpoints than lipsync have a `code`. */
  hasErrorCode: boolean;
  deletes: 'with nothing' | 'with JSON';
  callbacks: 'none' | 'once' | 'twice';
  callbackType: string;
  /** `response.replyRef` instead of `replyRef`. */
  nestsReplyRef: boolean;
  /** The POST creates its job and answers 500. */
  hidesAnswer: boolean;
  /** The first callback is sent before the answer to the POST. */
  callsBeforeAnswer: boolean;
  /** Items of GET /videos repeat the `replyRef`. */
  listsReplyRef: boolean;
  /** Items of GET /scheduler/ repeat the `replyRef`. */
  schedulesReplyRef: boolean;
  writesNumbersAsStrings: boolean;
  /** Where a video is named by its number alone: the documents have ids of both kinds. */
  bareNumbers: 'nowhere' | 'in lists' | 'in the answer to POST';
  /** Optional fields that videos lack. */
  omits: string[];
  /** Fields that videos lack in GET /videos only. */
  omitsInList: string[];
  /** Undocumented fields, everywhere. */
  addsFields: boolean;
  /** Every answer is delayed by this. */
  delayMs: number;
};

export type FakeAccount = {
  email: string;
  maxJobs: number;
  /** All credits of GET /features, as `credit_monthly`. Default: 5600, and 60 a day. */
  credits?: number | string | null;
  /** The pending error of GET /accounts; a POST to the account clears it. */
  error?: string;
};

export const defaultBehaviour: Behaviour = {
  accounts: [{ email: 'studio@example.com', maxJobs: 3 }],
  order: 'newest',
  schedulerId: 'videoId',
  running: 404,
  pageHints: 'nothing',
  pageLimit: 100,
  hasErrorCode: true,
  deletes: 'with nothing',
  callbacks: 'once',
  callbackType: 'application/json',
  nestsReplyRef: false,
  hidesAnswer: false,
  callsBeforeAnswer: false,
  listsReplyRef: false,
  schedulesReplyRef: true,
  writesNumbersAsStrings: false,
  bareNumbers: 'nowhere',
  omits: [],
  omitsInList: [],
  addsFields: false,
  delayMs: 0,
};

export const fakeToken = 'user:1207-qz7Hk3wTn9Rd5xLm';
