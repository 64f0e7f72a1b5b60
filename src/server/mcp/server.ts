import type { ServerResponse } from 'node:http';
import { createMcpHandler, McpServer, type ServerContext } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { Context } from '../../graphql/context.ts';
import type { Log } from '../../log.ts';
import { readTraceContext } from '../../tracing/tracer.ts';
import type { ContextFactory } from '../auth/sessions.ts';
import { requestError } from '../operation/request-error.ts';
import { requestIdHeader } from '../operation/request-params.ts';
import type { EventStreams } from '../sse/streams.ts';
import { type Answer, failureOf, ToolCall, type ToolPipeline } from './call.ts';
import type { ToolResult } from './result.ts';
import { type Tool, tools } from './tools.ts';
import type { Progress } from './wait.ts';

export type McpParts = {
  pipeline: ToolPipeline;
  createContext: ContextFactory;
  streams: Pick<EventStreams, 'register'>;
  log: Log;
};

/** The response to each request, in which the answer of a tool waits until the client has read it. */
type Responses = WeakMap<Request, ServerResponse>;

const instructions =
  'Lip-sync videos. Choose a voice (list_voices) and a video (list_videos), ask for the cost (estimate_lipsync), create (create_lipsync, which costs money) and wait (wait_for_lipsync). A failure has a code; repeat a call only if retryable is true.';

/**
 * Serves the protocol without sessions: each request has a server of its own, so that any instance can answer it. The SDK
 * answers clients of the revisions with sessions too, as such a server.
 */
export function createMcpServer(parts: McpParts) {
  const responses: Responses = new WeakMap();
  const handler = createMcpHandler(
    ({ requestInfo }) => {
      const server = new McpServer(
        { name: 'lipsync-graphql', version: '0.1.0' },
        { instructions, capabilities: { tools: { listChanged: false } } },
      );
      for (const tool of tools) registerTool(server, tool, { ...parts, responses, requestInfo });
      return server;
    },
    {
      // No streams of changes: the list of tools never changes, and such a stream would need no token.
      maxSubscriptions: 0,
      // Its message can quote the request.
      onerror: ({ name }) => parts.log.debug({ error: name }, 'a request to /mcp failed'),
    },
  );
  return {
    /** @param message parsed. @param request without its body */
    handle(message: unknown, request: Request, response: ServerResponse): Promise<Response> {
      responses.set(request, response);
      return handler.fetch(request, { parsedBody: message });
    },
  };
}

type RequestParts = McpParts & { responses: Responses; requestInfo: Request | undefined };

function registerTool(server: McpServer, tool: Tool, parts: RequestParts): void {
  const { name, title, description, annotations } = tool;
  const inputSchema = listedSchemas.get(tool);
  server.registerTool(name, { title, description, annotations, inputSchema }, (input, context) =>
    runTool(tool, input, { ...parts, context }),
  );
}

/**
 * The schemas as clients see them, made once: the SDK would make them for each request. They accept everything, because
 * the SDK's own answer to invalid input is a text; `runTool` answers with the failure that every tool has.
 */
const listedSchemas = new Map(
  tools.map((tool) => {
    const schema = z.toJSONSchema(tool.input, { io: 'input' });
    const jsonSchema = { input: () => schema, output: () => schema };
    const validate = (value: unknown) => ({ value: value as Answer });
    return [
      tool,
      { '~standard': { version: 1 as const, vendor: 'lipsync-graphql', validate, jsonSchema } },
    ];
  }),
);

async function runTool(
  tool: Tool,
  input: unknown,
  {
    context: mcpContext,
    requestInfo,
    responses,
    ...parts
  }: RequestParts & { context: ServerContext },
): Promise<ToolResult> {
  const response = requestInfo && responses.get(requestInfo);
  if (requestInfo === undefined || response === undefined) throw new Error('Not over HTTP.');
  const { headers, signal } = requestInfo;
  const requestId = headers.get(requestIdHeader) ?? 'unknown';
  const authorization = headers.get('authorization');
  const trace = readTraceContext(headers.get('traceparent'), headers.get('tracestate'));
  const { createContext, streams, log } = parts;
  let context: Context | undefined;
  try {
    context = await createContext({ authorization, requestId, trace, lastEventId: null, signal });
    const parsed = tool.input.safeParse(input ?? {});
    if (!parsed.success) throw inputError(parsed.error);
    const call = new ToolCall({ ...parts, context, response });
    return await tool.run(call, parsed.data as Answer, { streams, notify: notifierOf(mcpContext) });
  } catch (thrown) {
    return failureOf(thrown, log, context ?? { requestId });
  }
}

function inputError({ issues }: z.ZodError) {
  const [issue] = issues;
  const path = issue?.path.join('.');
  const at = path ? `\`${path}\`: ` : '';
  return requestError('BAD_USER_INPUT', `${at}${issue?.message ?? 'Invalid input.'}`);
}

function notifierOf({ mcpReq }: ServerContext): (progress: Progress) => Promise<void> {
  const progressToken = mcpReq._meta?.progressToken;
  return async (progress) => {
    if (progressToken === undefined) return;
    await mcpReq.notify({
      method: 'notifications/progress',
      params: { ...progress, progressToken },
    });
  };
}
