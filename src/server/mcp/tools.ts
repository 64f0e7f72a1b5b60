import type { z } from 'zod';
import type { Answer, ToolCall } from './call.ts';
import * as documents from './documents.ts';
import * as inputs from './inputs.ts';
import { success, type ToolResult } from './result.ts';
import { type Waiting, waitForLipsync } from './wait.ts';

/** What agents see of a tool, and what it does. */
export type Tool = {
  name: string;
  title: string;
  description: string;
  input: z.ZodType;
  annotations: {
    readOnlyHint?: boolean;
    destructiveHint?: boolean;
    idempotentHint?: boolean;
    openWorldHint: boolean;
  };
  /** @param input checked. @throws the failure */
  run(call: ToolCall, input: Answer, waiting: Waiting): Promise<ToolResult>;
};

const reads = { readOnlyHint: true, openWorldHint: false };

export const tools: readonly Tool[] = [
  {
    name: 'list_voices',
    title: 'List voices',
    description: 'The voices that can speak a text. Free.',
    input: inputs.noInput,
    annotations: reads,
    async run(call) {
      const { nodes } = await call.execute(documents.listVoices, {});
      return success({ voices: nodes });
    },
  },
  {
    name: 'list_videos',
    title: 'List videos',
    description:
      'The videos that can be the source of a lip-sync, newest first. Only a COMPLETED one can be. Free.',
    input: inputs.videoList,
    annotations: reads,
    async run(call, input) {
      return pageOf('videos', await call.execute(documents.listVideos, input));
    },
  },
  {
    name: 'estimate_lipsync',
    title: 'Estimate a lip-sync',
    description:
      'What a lip-sync will probably cost in credits, and how many seconds it takes. `credits` is null if that is not known. Nothing is created. Free.',
    input: inputs.estimate,
    annotations: reads,
    async run(call, input) {
      const { __typename: _, ...quote } = await call.execute(documents.estimateLipsync, { input });
      return success(quote);
    },
  },
  {
    name: 'create_lipsync',
    title: 'Create a lip-sync',
    description:
      'COSTS MONEY: makes a video in which the person of the source video says the text or the sound, for which the video service charges credits. Ask the user first if the cost was not agreed; `estimate_lipsync` tells it, and `maxCredits` limits it. The video takes minutes: continue with `wait_for_lipsync`.',
    input: inputs.creation,
    annotations: {
      readOnlyHint: false,
      destructiveHint: false,
      idempotentHint: true,
      openWorldHint: true,
    },
    async run(call, input) {
      const { lipsync, replayed } = await call.execute(documents.createLipsync, { input });
      return success({ lipsync, replayed });
    },
  },
  {
    name: 'get_lipsync',
    title: 'Read a lip-sync',
    description: 'A lip-sync as it is now, with the finished video in `result`. Free.',
    input: inputs.lipsyncId,
    annotations: reads,
    async run(call, input) {
      return success({ lipsync: await call.execute(documents.getLipsync, input) });
    },
  },
  {
    name: 'wait_for_lipsync',
    title: 'Wait for a lip-sync',
    description:
      'Waits until a lip-sync has ended, with notifications of its progress, and returns it. If it has not ended after `maxSeconds`, or this server restarts, `finished` is false: call again with the same id. Free.',
    input: inputs.wait,
    annotations: reads,
    run: (call, input, waiting) =>
      waitForLipsync(call, input as z.output<typeof inputs.wait>, waiting),
  },
  {
    name: 'list_lipsyncs',
    title: 'List lip-syncs',
    description: "The caller's lip-syncs, newest first. Free.",
    input: inputs.lipsyncList,
    annotations: reads,
    async run(call, input) {
      return pageOf('lipsyncs', await call.execute(documents.listLipsyncs, input));
    },
  },
  {
    name: 'cancel_lipsync',
    title: 'Cancel a lip-sync',
    description:
      'Cancels a lip-sync. Nothing is charged for one that still waits in the queue; the video service cannot stop a running one and charges for it, and its video is lost. `charge` says whether it is charged. A finished lip-sync stays as it is.',
    input: inputs.lipsyncId,
    annotations: {
      readOnlyHint: false,
      destructiveHint: true,
      idempotentHint: true,
      openWorldHint: true,
    },
    async run(call, input) {
      const answer = await call.execute(documents.cancelLipsync, { input });
      const { __typename: outcome, lipsync, message } = answer;
      return success({ outcome, lipsync, ...(message === undefined ? {} : { message }) });
    },
  },
  {
    name: 'import_upload',
    title: 'Import a file',
    description:
      'Fetches a video or a sound from a URL. `create_lipsync` takes the id of the upload at once, and waits for the file; with a `url` it imports by itself. Free.',
    input: inputs.importedFile,
    annotations: {
      readOnlyHint: false,
      destructiveHint: false,
      idempotentHint: false,
      openWorldHint: true,
    },
    async run(call, input) {
      const { upload } = await call.execute(documents.importUpload, { input });
      return success({ upload });
    },
  },
];

function pageOf(name: string, { nodes, pageInfo }: Answer): ToolResult {
  const { hasNextPage, endCursor } = pageInfo as { hasNextPage: boolean; endCursor: string | null };
  return success({ [name]: nodes, nextCursor: hasNextPage ? endCursor : null });
}
