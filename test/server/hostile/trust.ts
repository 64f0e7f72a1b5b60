import {
  eachKind,
  everywhere,
  onlyQuery,
  q,
  type Row,
  times,
  type Verdict,
  validRequests,
} from './row.ts';

const untrusted: Verdict = {
  code: 'DOCUMENT_NOT_TRUSTED',
  message: 'This document is not in the list of trusted documents.',
};

/** Each kind with a fragment of this many tokens. */
const ofTokens = (count: number) =>
  eachKind((document) => q(`${document} fragment F on Lipsync { ${times(count, () => 'id')} }`));

const byId = eachKind((_, kind) => ({ documentId: kind }));

const unknown = 'an unknown document has no kind';

/** Untrusted documents. The ids of the trusted ones are their kinds. */
export const trust: Row[] = [
  {
    name: 'an id that names no trusted document',
    at: 'trusted',
    verdict: untrusted,
    hostile: onlyQuery({ documentId: 'nothing' }, unknown),
    allowed: byId,
    transports: everywhere,
  },
  {
    name: 'the id of a property of every object',
    at: 'trusted',
    verdict: untrusted,
    hostile: onlyQuery({ documentId: '__proto__' }, unknown),
    allowed: byId,
    transports: everywhere,
  },
  {
    name: 'a trusted document with an additional space',
    at: 'trusted',
    verdict: untrusted,
    isRejectedUnparsed: true,
    hostile: eachKind((document) => q(`${document} `)),
    allowed: validRequests,
    transports: everywhere,
  },
  {
    name: 'a document with too many tokens, with trusted documents: refused as untrusted only',
    at: 'trusted',
    verdict: untrusted,
    isRejectedUnparsed: true,
    hostile: ofTokens(1_500),
    allowed: byId,
    transports: everywhere,
  },
];
