import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { phrases } from '../../src/sandbox/faults/phrases.ts';

const page = fileURLToPath(new URL('../../docs/sandbox-phrases.md', import.meta.url));

describe('docs/sandbox-phrases.md', () => {
  /** After a change of the phrases: `npx vitest run test/sandbox/phrases-page.test.ts --update` writes the page. */
  it('is the generated table of phrases', async () => {
    await expect(printPage()).toMatchFileSnapshot(page);
  });
});

function printPage(): string {
  const rows = phrases.map(
    ({ phrase, effect, answer }) => `| \`[[${phrase}]]\` | ${effect} | \`${answer}\` |`,
  );
  return `# Phrases of the sandbox

In the sandbox, a phrase anywhere in the text asks for a failure: \`"Hello [[moderated]]"\`. The last column says what
\`createLipsync\` answers: the type of the error; or, where it answers \`CreateLipsyncSuccess\`, the status in which the
lip-sync ends. \`OutcomeUnknownError\` has a lip-sync too: where the job was made, the server finds it and follows it to its
end.

401, 402, 412 and 596 pause the account, as they do live: for a minute or more nothing is sent to it, and lip-syncs that
need it wait. 429 and a refused connection do the same for 10 to 30 seconds.

| In the text | Effect | Answer |
|---|---|---|
${rows.join('\n')}

No phrase gives \`NotAuthenticatedError\`, \`NotAuthorizedError\`, \`IdempotencyConflictError\`, \`QueueFullError\` and
\`QuotaExceededError\`: they come from this server alone.
`;
}
