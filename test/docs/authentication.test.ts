import { SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { parseApiKeyFile } from '../../src/config/api-keys.ts';
import { scopes } from '../../src/graphql/context.ts';
import { schema } from '../../src/schema.ts';
import { startTestApp } from '../support/app.ts';
import { pageOf } from './pages.ts';

const page = pageOf('docs/authentication.md');
const textOf = (has: (block: { language: string; role: string }) => boolean) =>
  page.blocks.find(has)?.text ?? '';

describe('works', () => {
  test('a JWT with the documented claims has its scopes', async () => {
    const claims = JSON.parse(textOf(({ role }) => role === 'claims')) as Record<string, string>;
    const secret = 'a secret of at least thirty-two bytes';
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(secret));
    const env = {
      AUTH_JWT_SECRET: secret,
      AUTH_ISSUER: claims.iss ?? '',
      AUTH_AUDIENCE: claims.aud ?? '',
    };
    await using app = await startTestApp({ env });
    const response = await fetch(`${app.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: '{ viewer { authenticated name scopes } }' }),
    });
    const scopes = claims.scope?.toUpperCase().replaceAll(':', '_').split(' ');
    expect(await response.json()).toMatchObject({
      data: {
        viewer: { authenticated: true, name: claims.sub, scopes },
      },
    });
  });

  test('the documented entry is an API key', () => {
    const [key] = parseApiKeyFile(textOf(({ language }) => language === 'text'));
    expect(key).toMatchObject({ name: 'web', scopes: ['lipsync:read', 'lipsync:write'] });
  });

  test('the table of scopes names every scope and every root field', () => {
    const rows = page.rows.filter(([cell]) => scopes.some((scope) => cell === `\`${scope}\``));
    expect(rows.map(([cell]) => cell?.slice(1, -1))).toEqual([...scopes]);
    const fields = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]
      .flatMap((type) => Object.keys(type?.getFields() ?? {}))
      .filter((name) => !name.startsWith('_'));
    const spans = new Set(page.spans);
    expect(fields.filter((name) => !spans.has(name))).toEqual([]);
  });
});
