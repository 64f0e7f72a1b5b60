import { eachKind, everywhere, fine, onlyQuery, q, type Row, times, type Verdict } from './row.ts';

const untrusted: Verdict = {
  code: 'DOCUMENT_NOT_TRUSTED',
  message: 'This document is not in the list of trusted documents.',
};

/** Of each kind, and with a fragment of so many tokens. */
const ofTokens = (count: number) =>
  eachKind((document) => q(`${document} fragment F on Lipsync { ${times(count, () => 'id')} }`));

const byId = eachKind((_, kind) => ({ documentId: kind }));

const unknown = 'what nobody knows is of no kind';

/** What is not among the trusted documents, whose ids are their kinds. */
export const trust: Row[] = [
  {
    name: 'an id that names no trusted document',
    at: 'trusted',
    verdict: untrusted,
    hostile: onlyQuery({ documentId: 'nothing' }, unknown),
    allowed: byId,
    doors: everywhere,
  },
  {
    name: 'an id that names what every object has',
    at: 'trusted',
    verdict: untrusted,
    hostile: onlyQuery({ documentId: '__proto__' }, unknown),
    allowed: byId,
    doors: everywhere,
  },
  {
    name: 'a document that is not trusted, though it is the same but for a space',
    at: 'trusted',
    verdict: untrusted,
    isRefusedUnparsed: true,
    hostile: eachKind((document) => q(`${document} `)),
    allowed: fine,
    doors: everywhere,
  },
  {
    name: 'a flood, where documents are trusted: that it is none of them is all that is told',
    at: 'trusted',
    verdict: untrusted,
    isRefusedUnparsed: true,
    hostile: ofTokens(1_500),
    allowed: byId,
    doors: everywhere,
  },
];
