import { describe, expect, test } from 'vitest';
import { tools } from '../../src/server/mcp/tools.ts';
import { type Agent, connectAgent } from '../support/agent.ts';
import { startLipsyncApp } from '../support/lipsync-app.ts';
import { pageOf } from './pages.ts';

const shortened = [
  ...['id', 'voiceId', 'videoId', 'url', 'posterUrl', 'previewUrl', 'nextCursor'],
  ...['createdAt', 'submittedAt', 'finishedAt', 'estimatedCompletionAt', 'percent'],
];

/** What the page shows of a value: one item of each list, and no value that differs from run to run. */
function show(value: unknown): string {
  const shown = JSON.stringify(
    value,
    (name, each: unknown) => {
      if (Array.isArray(each)) return each.slice(0, 1);
      return shortened.includes(name) && each !== null ? '…' : each;
    },
    2,
  );
  return shown.replaceAll(/\n\s*(?=[\]}])/g, ' ').replaceAll(/(?<=[[{])\n\s*/g, ' ');
}

async function record(agent: Agent): Promise<string> {
  const lines: string[] = [];
  const call = async (name: string, input: object) => {
    lines.push(`> ${name} ${show(input)}`);
    const progress: string[] = [];
    const onprogress = (at: { progress: number; message?: string | undefined }) =>
      void progress.push(`${at.progress} % ${at.message}`);
    const { isError, content } = await agent.call(name, input, { onprogress });
    expect({ isError, content }).toMatchObject({ isError: false });
    // Which events come before the last one depends on the time.
    if (progress.length > 0) lines.push(`… progress: ${progress.at(-1)}`);
    lines.push(show(content), '');
    return content as Record<string, { id: string } & { id: string }[]>;
  };
  const { voices } = await call('list_voices', {});
  const { videos } = await call('list_videos', { first: 1, filter: { statuses: ['COMPLETED'] } });
  const input = {
    video: { videoId: videos?.[0]?.id },
    speech: { script: { text: 'Welcome to the show.', voiceId: voices?.[0]?.id } },
  };
  await call('estimate_lipsync', input);
  const made = await call('create_lipsync', {
    ...input,
    idempotencyKey: 'welcome-1',
    maxCredits: 100,
  });
  await call('wait_for_lipsync', { id: made.lipsync?.id });
  return lines.join('\n').trimEnd();
}

describe('docs/agents.md', () => {
  test('shows a real run of an agent', async () => {
    await using app = await startLipsyncApp({ sandbox: { generatingMs: 1_000 } });
    await using agent = await connectAgent({ url: app.url });
    const transcript = pageOf('docs/agents.md').blocks.find(({ role }) => role === 'transcript');
    expect(transcript?.text).toBe(`${await record(agent)}\n`);
  });

  test('names every tool', () => {
    const named = pageOf('docs/agents.md').rows.flatMap(([cell = '']) =>
      [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name),
    );
    expect(named.toSorted()).toEqual(tools.map(({ name }) => name).toSorted());
  });
});
