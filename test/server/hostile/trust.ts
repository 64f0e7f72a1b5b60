import { create, everywhere, q, type Row, times, trustedDocuments, type Verdict } from './row.ts';

const untrusted: Verdict = {
  code: 'DOCUMENT_NOT_TRUSTED',
  message: 'This document is not one of those that this server executes.',
};

/** One field, of so many tokens. */
const ofTokens = (count: number) =>
  q(`{lipsyncs(filter:{status:[${times(count - 19, () => 'QUEUED')}]}){nodes{id}}}`);

/** What is not among the trusted documents. */
export const trust: Row[] = [
  {
    name: 'an id that names no trusted document',
    at: 'trusted',
    verdict: untrusted,
    hostile: { query: { documentId: 'nothing' } },
    allowed: { query: { documentId: 'viewer' } },
    doors: everywhere,
  },
  {
    name: 'a document that is not trusted, though it is the same but for a space',
    at: 'trusted',
    verdict: untrusted,
    isRefusedUnparsed: true,
    hostile: {
      query: q(`${trustedDocuments.viewer} `),
      mutation: q(`mutation { ${create} }`),
      subscription: q('subscription { lipsyncProgress(id: "x") { __typename } }'),
    },
    allowed: { query: q(trustedDocuments.viewer) },
    doors: everywhere,
  },
  {
    name: 'a flood, where documents are trusted: that it is none of them is all that is told',
    at: 'trusted',
    verdict: untrusted,
    hostile: { query: ofTokens(1_500) },
    allowed: { query: { documentId: 'viewer' } },
    doors: everywhere,
  },
];
