import { createHash } from 'node:crypto';
import { createApiKeys } from '../support/api-keys.ts';
import type { AuditedServer } from './audit.ts';

export type Setting = {
  env: Record<string, string>;
  callers: Omit<AuditedServer, 'url'>[];
};

const page = 'https://app.example.com';
const { env: keys, headers } = createApiKeys({ reader: ['lipsync:read'] });

/** The documents of the audits, for a server with trusted documents. */
const audited = [
  '{ __typename }',
  '{ __type(name: "Run🏃Swim🏊") { name } }',
  'query Query { __typename }',
  'query Type($name: String!) { __type(name: $name) { name } }',
  'query CoerceFailure($id: ID!){ __typename }',
  'mutation { __typename }',
];

export const trustedDocuments = JSON.stringify(
  Object.fromEntries(
    audited.map((text) => [createHash('sha256').update(text).digest('hex'), text]),
  ),
);

/**
 * Every configuration that changes how a server answers over HTTP.
 *
 * @param documents the path of a file with `trustedDocuments`
 */
export function createSettings(documents: string): Setting[] {
  return [
    {
      env: { CORS_ORIGINS: page },
      callers: [{ name: 'anyone' }, { name: 'a page', headers: { origin: page } }],
    },
    {
      env: keys,
      callers: [{ name: 'signed in', headers: headers.reader }, { name: 'anonymous' }],
    },
    {
      env: { TRUSTED_DOCUMENTS: documents, GRAPHIQL: 'false' },
      callers: [{ name: 'trusted' }],
    },
  ];
}
