import type { ServerResponse } from 'node:http';
import { GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { nobody } from '../auth/authenticate.ts';
import type { Sessions } from '../auth/sessions.ts';
import { type RefusalCode, refuse } from './request-error.ts';
import {
  answerRefusal,
  hasFiles,
  mostRequestBytes,
  readBody,
  tooLarge,
  withStatus,
} from './request-params.ts';

/** Of a file and what comes with it: 25 MB are promised, and the rest is larger than the limit of any other request. */
export const mostMultipartBytes = 25 * 1024 ** 2 + mostRequestBytes;

/** That is 400 MB of files in memory, whoever sends them. Larger ones, and more, go to an upload's own address. */
const mostAtOnce = 16;

/** Until then one of those under way has surely ended, or is a slow one that is broken off. */
const retryAfterSeconds = 5;

type Connection = { res?: ServerResponse };

/**
 * What requests with files may be. All of one is held in memory before anybody knows what it asks, so whoever may not
 * upload anything sends no more than by any other request, and only so many are taken at once; and what is no file is no
 * larger than there.
 */
export function useMultipartRules({ sessions }: { sessions: Pick<Sessions, 'signIn'> }): Plugin {
  let held = 0;
  /** False where there is no room. */
  function hold({ res }: Connection): boolean {
    if (held >= mostAtOnce) return false;
    if (res === undefined) return true;
    held += 1;
    res.once('close', () => {
      held -= 1;
    });
    return true;
  }
  return {
    async onRequest({ request, setRequest, endResponse, fetchAPI, serverContext }) {
      if (request.method !== 'POST' || !hasFiles(request)) return;
      if (Number(request.headers.get('content-length')) > mostMultipartBytes) {
        return endResponse(answerRefusal(fetchAPI, [tooLarge()], 413));
      }
      const caller = await sessions.signIn(request.headers.get('authorization'));
      if (caller !== nobody) {
        if (hold(serverContext as Connection)) return;
        const answer = answerRefusal(fetchAPI, [tooMany()], 503);
        answer.headers.set('retry-after', `${retryAfterSeconds}`);
        return endResponse(answer);
      }
      const body = await readBody(request.body);
      if (body === null) return endResponse(answerRefusal(fetchAPI, [tooLarge()], 413));
      const { method, url, headers, signal } = request;
      setRequest(new fetchAPI.Request(url, { method, headers, signal, body }));
    },
    onRequestParse({ request: asked, requestParser, setRequestParser }) {
      if (requestParser === undefined || !hasFiles(asked)) return;
      setRequestParser(async (request) => {
        try {
          const form = await request.formData();
          checkTexts(form);
          // All that Yoga's parser reads of it.
          return await requestParser({ formData: async () => form } as Request);
        } catch (thrown) {
          throw refusalOf(thrown);
        }
      });
    },
  };
}

function tooMany(): GraphQLError {
  const message =
    'Too many requests with files are under way. Send it again later, or ask for createUpload.';
  return new GraphQLError(message, {
    extensions: {
      code: 'TOO_MANY_FILES' satisfies RefusalCode,
      retryable: true,
      retryAfterSeconds,
    },
  });
}

function checkTexts(form: FormData): void {
  const texts = [...form.values()].filter((value) => typeof value === 'string');
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes > mostRequestBytes) throw tooLarge();
}

/** Yoga and the reader of forms have words of their own, which may quote what came. */
function refusalOf(thrown: unknown): unknown {
  if (!(thrown instanceof Error) || thrown.name === 'AbortError') return thrown;
  const isTooLarge =
    thrown.message.includes('too large') ||
    (thrown instanceof GraphQLError && thrown.extensions.code === 'REQUEST_TOO_LARGE');
  return isTooLarge
    ? withStatus(tooLarge(), 413)
    : withStatus(refuse('BAD_REQUEST', 'This is no multipart request of GraphQL.'), 400);
}
