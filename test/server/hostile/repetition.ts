import { aroundLipsync, everywhere, q, type Row, times, type Verdict } from './row.ts';

const tooOften: Verdict = {
  code: 'DOCUMENT_TOO_LARGE',
  message: 'This document selects the same fields too often. Select each field once.',
};

/** As a client would write it: the errors of a field in one fragment, and each field with it. */
const spreadOften = (count: number) =>
  aroundLipsync(
    times(count, (n) => `a${n}: failure { ...Failure }`),
    {
      definitions: `fragment Failure on LipsyncError { ${times(20, () => '... on LipsyncError { code message retryable }')} }`,
    },
  );

const createUpload = (count: number, more = '') =>
  `mutation { createUpload(input: { kind: AUDIO, contentType: "audio/wav" }) { ${times(count, () => '__typename')} ${more} } }`;

/** Fields that are selected many times in one object. */
export const repetition: Row[] = [
  {
    name: 'a field with subfields that is selected over and over: refused before it is validated',
    verdict: tooOften,
    hostile: {
      // Unknown fields, which only validation reports.
      query: q(`{ ${times(120, () => 'viewer { name }')} nothing }`),
      mutation: q(createUpload(200, 'nothing')),
      subscription: q(
        `subscription { lipsyncProgress(id: "x") { ${times(200, () => '__typename')} nothing } }`,
      ),
    },
    allowed: {
      query: q(`{ ${times(70, () => 'viewer { name }')} }`),
      mutation: q(createUpload(100)),
      subscription: q(
        `subscription { lipsyncProgress(id: "x") { ${times(100, () => '__typename')} } }`,
      ),
    },
    transports: everywhere,
  },
  {
    name: 'fields under one alias, in inline fragments and on several levels',
    verdict: tooOften,
    hostile: aroundLipsync(
      times(12, () => `a: progress { ${times(12, () => '... { percent }')} }`),
    ),
    allowed: aroundLipsync(times(8, () => `a: progress { ${times(8, () => '... { percent }')} }`)),
    transports: everywhere,
  },
  {
    name: 'fragments that all select the same fields of one object',
    verdict: tooOften,
    hostile: aroundLipsync(
      times(60, (n) => `...F${n}`),
      {
        definitions: times(
          60,
          (n) => `fragment F${n} on Lipsync { id status reference createdAt }`,
        ),
      },
    ),
    allowed: aroundLipsync(
      times(40, (n) => `...F${n}`),
      {
        definitions: times(
          40,
          (n) => `fragment F${n} on Lipsync { id status reference createdAt }`,
        ),
      },
    ),
    transports: everywhere,
  },
  {
    name: 'a fragment with the same fields for many types, in many places',
    verdict: 'executed',
    hostile: spreadOften(30),
    allowed: spreadOften(1),
    transports: everywhere,
  },
];
