/** `totalBytes` is null for a stream without a declared size. */
export type OnProgress = (progress: { sentBytes: number; totalBytes: number | null }) => void;

export type PutAnswer = { status: number; text: string; retryAfter: string | null };

type PutOptions = {
  size: number | undefined;
  onProgress: OnProgress | undefined;
  signal: AbortSignal;
};

type Body = Blob | ReadableStream<Uint8Array<ArrayBuffer>>;

/** The part of `XMLHttpRequest` that is used here. */
type XhrLike = {
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

/** Rejects if no response arrives: with the signal's reason or the network error. */
export async function put(url: string, body: Body, options: PutOptions): Promise<PutAnswer> {
  options.signal.throwIfAborted();
  const { XMLHttpRequest } = globalThis as { XMLHttpRequest?: new () => XhrLike };
  if (XMLHttpRequest === undefined) return putByFetch(url, body, options);
  // Browsers cannot upload a stream over HTTP/1.1; they keep a large Blob on disk.
  const blob = body instanceof Blob ? body : await new Response(body).blob();
  return putByXhr(new XMLHttpRequest(), { url, blob, ...options });
}

/** In a browser only `XMLHttpRequest` reports the progress of an upload. */
function putByXhr(
  xhr: XhrLike,
  { url, blob, onProgress, signal }: PutOptions & { url: string; blob: Blob },
): Promise<PutAnswer> {
  let removeListener = () => {};
  const answered = new Promise<PutAnswer>((resolve, reject) => {
    const abort = () => {
      xhr.abort();
      reject(signal.reason);
    };
    removeListener = () => signal.removeEventListener('abort', abort);
    signal.addEventListener('abort', abort);
    xhr.upload.onprogress = ({ loaded, total }) =>
      onProgress?.({ sentBytes: loaded, totalBytes: total });
    xhr.onload = () =>
      resolve({
        status: xhr.status,
        text: xhr.responseText,
        retryAfter: xhr.getResponseHeader('retry-after'),
      });
    xhr.onerror = () => reject(new TypeError('The connection was lost.'));
    xhr.open('PUT', url);
    xhr.send(blob);
  });
  return answered.finally(() => removeListener());
}

async function putByFetch(
  url: string,
  body: Body,
  { size, onProgress, signal }: PutOptions,
): Promise<PutAnswer> {
  const stream = body instanceof Blob ? body.stream() : body;
  const response = await fetch(url, {
    method: 'PUT',
    body: countBytes(stream, size ?? null, onProgress),
    // Node requires it for a stream: the response arrives after the request body.
    duplex: 'half',
    signal,
  } as RequestInit);
  return {
    status: response.status,
    text: await response.text(),
    retryAfter: response.headers.get('retry-after'),
  };
}

/** A file in memory is one chunk of any size. It is split, so that progress is reported in steps. */
const chunkBytes = 65_536;

/** Passes a stream through and reports how much was read. */
function countBytes(
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
      const chunk = rest.subarray(0, chunkBytes);
      rest = rest.subarray(chunkBytes);
      controller.enqueue(chunk);
      sentBytes += chunk.byteLength;
      onProgress?.({ sentBytes, totalBytes });
    },
    cancel: (reason) => reader.cancel(reason),
  });
}
