/** `totalBytes` is null for a stream of which nobody said how long it is. */
export type OnProgress = (progress: { sentBytes: number; totalBytes: number | null }) => void;

export type PutAnswer = { status: number; text: string; retryAfter: string | null };

type PutOptions = {
  size: number | undefined;
  onProgress: OnProgress | undefined;
  signal: AbortSignal;
};

type Body = Blob | ReadableStream<Uint8Array<ArrayBuffer>>;

/** As much of a browser's own as is used here. */
type Request = {
  upload: { onprogress: ((event: { loaded: number; total: number }) => void) | null };
  onload: (() => void) | null;
  onerror: (() => void) | null;
  readonly status: number;
  readonly responseText: string;
  open(method: string, url: string): void;
  getResponseHeader(name: string): string | null;
  send(body: Blob): void;
  abort(): void;
};

/** Rejects where there is no answer: with the signal's reason, or with what broke. */
export async function put(url: string, body: Body, options: PutOptions): Promise<PutAnswer> {
  options.signal.throwIfAborted();
  const { XMLHttpRequest } = globalThis as { XMLHttpRequest?: new () => Request };
  if (XMLHttpRequest === undefined) return putByFetch(url, body, options);
  // No browser sends a stream over HTTP/1.1, and a Blob is kept on disk where it is large.
  const blob = body instanceof Blob ? body : await new Response(body).blob();
  return putByRequest(new XMLHttpRequest(), { url, blob, ...options });
}

/** In a browser only `XMLHttpRequest` tells how much of a body has been sent. */
function putByRequest(
  request: Request,
  { url, blob, onProgress, signal }: PutOptions & { url: string; blob: Blob },
): Promise<PutAnswer> {
  let leave = () => {};
  const answered = new Promise<PutAnswer>((resolve, reject) => {
    const abort = () => {
      request.abort();
      reject(signal.reason);
    };
    leave = () => signal.removeEventListener('abort', abort);
    signal.addEventListener('abort', abort);
    request.upload.onprogress = ({ loaded, total }) =>
      onProgress?.({ sentBytes: loaded, totalBytes: total });
    request.onload = () =>
      resolve({
        status: request.status,
        text: request.responseText,
        retryAfter: request.getResponseHeader('retry-after'),
      });
    request.onerror = () => reject(new TypeError('The connection broke.'));
    request.open('PUT', url);
    request.send(blob);
  });
  return answered.finally(() => leave());
}

async function putByFetch(
  url: string,
  body: Body,
  { size, onProgress, signal }: PutOptions,
): Promise<PutAnswer> {
  const stream = body instanceof Blob ? body.stream() : body;
  const response = await fetch(url, {
    method: 'PUT',
    body: count(stream, size ?? null, onProgress),
    // Node asks for it with a stream; it means that the answer comes after the body.
    duplex: 'half',
    signal,
  } as RequestInit);
  return {
    status: response.status,
    text: await response.text(),
    retryAfter: response.headers.get('retry-after'),
  };
}

/** A file in memory comes as one piece, however large: it is told of, and handed on, in smaller ones. */
const pieceBytes = 65_536;

function count(
  source: ReadableStream<Uint8Array<ArrayBuffer>>,
  totalBytes: number | null,
  onProgress: OnProgress | undefined,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = source.getReader();
  let rest = new Uint8Array();
  let sentBytes = 0;
  return new ReadableStream({
    async pull(controller) {
      while (rest.byteLength === 0) {
        const { done, value } = await reader.read();
        if (done) return controller.close();
        rest = value;
      }
      const piece = rest.subarray(0, pieceBytes);
      rest = rest.subarray(pieceBytes);
      controller.enqueue(piece);
      sentBytes += piece.byteLength;
      onProgress?.({ sentBytes, totalBytes });
    },
    cancel: (reason) => reader.cancel(reason),
  });
}
