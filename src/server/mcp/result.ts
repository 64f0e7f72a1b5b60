import type { GraphQLError } from 'graphql';

type Json = Record<string, unknown>;

/** The result of a tool, as the protocol has it: the text is the same JSON, for clients that read only texts. */
export type ToolResult = {
  content: { type: 'text'; text: string }[];
  structuredContent: Json;
  isError?: true;
};

export function success(structuredContent: Json): ToolResult {
  return { content: [textOf(structuredContent)], structuredContent };
}

/** Every failure of a tool. Other fields are those of its GraphQL type, such as `issues`, and the `requestId` of a defect. */
export type ToolFailure = Json & {
  code: string;
  message: string;
  retryable: boolean;
  /** Null: waiting alone does not help, or the time is unknown. */
  retryAfterSeconds: number | null;
};

export function failed(failure: ToolFailure): ToolResult {
  return { content: [textOf(failure)], structuredContent: failure, isError: true };
}

function textOf(value: Json): ToolResult['content'][number] {
  return { type: 'text', text: JSON.stringify(value) };
}

/** A request error, or an error that was masked. */
export function failureOfError({ message, extensions }: GraphQLError): ToolFailure {
  const { code, retryable, retryAfterSeconds, requestId } = extensions;
  return {
    code: typeof code === 'string' ? code : 'INTERNAL_SERVER_ERROR',
    message,
    retryable: retryable === true,
    retryAfterSeconds: typeof retryAfterSeconds === 'number' ? retryAfterSeconds : null,
    ...(typeof requestId === 'string' ? { requestId } : {}),
  };
}
