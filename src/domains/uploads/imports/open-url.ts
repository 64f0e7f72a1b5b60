import type { Readable } from 'node:stream';
import { Client, errors } from 'undici';
import { NoPublicAddressError } from '../../../outbound/connector.ts';
import type { Outbound } from '../../../outbound/outbound.ts';
import { UploadRejection } from '../rejection.ts';

/** Browsers' `fetch` allows 20; storage and link services need one or two. */
const maxRedirects = 5;

/** Also of redirects, in characters. Signed URLs of storage services contain session tokens of some thousand characters. */
const maxUrlLength = 8_192;

/** How long the server of the URL may send nothing. */
const defaultIdleMs = 30_000;

const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Only what every client sends: no cookie, no credential and no referrer. A compressed answer would not be the file. */
const headers = {
  accept: '*/*',
  'accept-encoding': 'identity',
  'user-agent': 'lipsync-graphql',
};

/** A file that begins to arrive. */
export type RemoteFile = {
  body: Readable;
  /** In bytes, as the server announced it; null = not announced. */
  size: number | null;
  /** As the server announced it. */
  contentType: string;
  /** Ends the connection. */
  close(): Promise<void>;
};

/** A failure that can be over within seconds: a broken connection, or a 5xx. */
export class TransientRejection extends UploadRejection {
  static of({ reason, failure }: UploadRejection): TransientRejection {
    return new TransientRejection(reason, failure);
  }
}

type Options = { outbound: Outbound; maxBytes: number; idleMs?: number | undefined };

/**
 * Requests the file and follows redirects. The guard checks each URL and, when the connection is made, each address.
 *
 * @throws {UploadRejection}
 */
export async function openUrl(
  options: Options,
  from: string,
  signal: AbortSignal,
): Promise<RemoteFile> {
  let url = from;
  for (let redirects = 0; redirects <= maxRedirects; redirects += 1) {
    checkTarget(options.outbound, url);
    const answer = await request(options, new URL(url), signal);
    if (answer.redirectTo === null) return answer.file;
    await answer.file.close();
    const next = URL.parse(answer.redirectTo, url);
    if (next === null) throw UploadRejection.unreachable('redirects to something that is no URL');
    next.hash = '';
    url = next.href;
  }
  throw UploadRejection.unreachable(`redirects more than ${maxRedirects} times`);
}

/** The messages are about redirects, because the caller's own URL was checked before it was stored. */
function checkTarget(outbound: Outbound, url: string): void {
  const problem = outbound.checkUrl(url, 'The target of a redirect', maxUrlLength);
  if (problem?.code === 'NOT_ALLOWED') throw UploadRejection.notAllowed();
  if (problem !== null) throw new UploadRejection('UNREACHABLE', problem.message);
}

type Answer = { redirectTo: string | null; file: RemoteFile };

/** One GET over a connection of its own. */
async function request(options: Options, url: URL, signal: AbortSignal): Promise<Answer> {
  const { outbound, idleMs = defaultIdleMs } = options;
  const client = new Client(url.origin, {
    allowH2: false,
    connect: outbound.connectorFor({ timeoutMs: idleMs, signal }),
    headersTimeout: idleMs,
    bodyTimeout: idleMs,
  });
  try {
    const response = await client.request({
      method: 'GET',
      path: url.pathname + url.search,
      headers,
      signal,
      reset: true,
    });
    const redirectTo = readRedirect(response.statusCode, response.headers.location);
    const body: Readable = response.body;
    // The body can fail before it is read.
    body.on('error', () => undefined);
    if (redirectTo === null) checkHead(response, options.maxBytes);
    return {
      redirectTo,
      file: {
        body,
        size: readLength(response.headers['content-length']),
        contentType: String(response.headers['content-type'] ?? ''),
        close: () => client.destroy(),
      },
    };
  } catch (error) {
    await client.destroy();
    throw error instanceof UploadRejection ? error : rejectionOf(error);
  }
}

function readRedirect(status: number, location: string | string[] | undefined): string | null {
  if (!redirectStatuses.has(status)) return null;
  if (typeof location === 'string' && location !== '') return location;
  throw UploadRejection.unreachable(`answered with the status ${status} and no new URL`);
}

type Head = { statusCode: number; headers: Record<string, string | string[] | undefined> };

function checkHead({ statusCode, headers: received }: Head, maxBytes: number): void {
  if (statusCode !== 200) {
    const rejection = UploadRejection.unreachable(`answered with the status ${statusCode}`);
    throw statusCode >= 500 || statusCode === 429 ? TransientRejection.of(rejection) : rejection;
  }
  if (isCompressed(received['content-encoding'])) throw UploadRejection.compressed();
  if (
    /^(text\/html|application\/(json|xhtml\+xml|xml))\b/i.test(String(received['content-type']))
  ) {
    throw UploadRejection.webPage();
  }
  const size = readLength(received['content-length']);
  if (size === 0) throw UploadRejection.empty();
  if (size !== null && size > maxBytes) throw UploadRejection.tooLarge(maxBytes);
}

/**
 * Other names are no compression: S3 stores what its clients name, such as `aws-chunked`, `base64` or `utf-8`, and delivers the
 * file as it is.
 */
const compressions: ReadonlySet<string> = new Set([
  ...['gzip', 'x-gzip', 'deflate', 'br', 'zstd', 'compress', 'x-compress'],
]);

function isCompressed(header: string | string[] | undefined): boolean {
  return String(header ?? '')
    .split(',')
    .some((name) => compressions.has(name.trim().toLowerCase()));
}

function readLength(header: string | string[] | undefined): number | null {
  const length = typeof header === 'string' && /^\d+$/.test(header) ? Number(header) : null;
  return Number.isSafeInteger(length) ? length : null;
}

function rejectionOf(error: unknown): UploadRejection {
  if (error instanceof NoPublicAddressError) return UploadRejection.notAllowed();
  const isTimeout =
    error instanceof errors.ConnectTimeoutError || error instanceof errors.HeadersTimeoutError;
  return TransientRejection.of(
    UploadRejection.unreachable(isTimeout ? 'did not answer in time' : 'could not be reached'),
  );
}
