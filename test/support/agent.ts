import { isDeepStrictEqual } from 'node:util';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

/** What a tool returned: the same for each success and for each failure. */
export type ToolAnswer = {
  isError: boolean;
  /** `structuredContent`; of a failure its `code`, `message`, `retryable` and `retryAfterSeconds`. */
  content: Record<string, unknown>;
};

type Progress = { progress: number; total?: number | undefined; message?: string | undefined };

export type CallOptions = { onprogress?: (progress: Progress) => void; signal?: AbortSignal };

/** An agent: the SDK's own client of `/mcp`. */
export type Agent = Awaited<ReturnType<typeof connectAgent>>;

/** The revisions of the protocol: with independent requests, and with the handshake of the older ones. */
export const revisions = { current: '2026-07-28', older: 'legacy' } as const;

/** @param at.url of the server, without a path. */
export async function connectAgent(at: {
  url: string;
  headers?: Record<string, string>;
  revision?: keyof typeof revisions;
}) {
  const { url, headers = {}, revision = 'current' } = at;
  const mode = revision === 'current' ? { pin: revisions.current } : revisions.older;
  const client = new Client({ name: 'agent', version: '1' }, { versionNegotiation: { mode } });
  const requestInit = { headers };
  await client.connect(new StreamableHTTPClientTransport(new URL('/mcp', url), { requestInit }));
  return {
    client,
    /** The text of each answer is the same JSON as its structured content. */
    async call(name: string, input: object = {}, options: CallOptions = {}): Promise<ToolAnswer> {
      const result = await client.callTool({ name, arguments: { ...input } }, options);
      const { structuredContent, isError = false, content: [text] = [] } = result;
      // `npm run soak` runs without vitest.
      if (!isDeepStrictEqual(text, { type: 'text', text: JSON.stringify(structuredContent) })) {
        throw new Error(
          `The text of ${name} is not its structured content: ${JSON.stringify(text)}`,
        );
      }
      return { isError, content: structuredContent as Record<string, unknown> };
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}
