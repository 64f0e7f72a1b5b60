import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';

export type SeenRequest = {
  method: string;
  /** As on the wire, not decoded. */
  url: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
};

export type Reply = {
  status: number;
  body?: string;
  headers?: Record<string, string>;
  /** Closes the connection without an answer. */
  isCut?: true;
};

/** Reads the request and answers it. Such requests are not recorded. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** Such as `POST /videos/lipsync`; ids and e-mails read `{id}` and `{email}`, and no path ends in a slash. */
export type Route = `${'GET' | 'POST' | 'DELETE'} /${string}`;

/** Such as `GET /videos/?email=a%40b.example`: the path is decoded and the query is as on the wire. */
export function callOf({ method, url }: Pick<SeenRequest, 'method' | 'url'>): string {
  const [path = '', ...query] = url.replace('/v2/pixverse', '').split('?');
  return `${method} ${[decodeURIComponent(path), ...query].join('?')}`;
}

/** The endpoint of a request; undefined for a path that the documents do not have. */
export function routeOf(seen: {
  method: string;
  url: string;
}): { route: Route; segment: string } | undefined {
  const path = seen.url.split('?')[0] ?? '';
  const prefix = '/v2/pixverse';
  if (!path.startsWith(`${prefix}/`)) return undefined;
  const rest = path.slice(prefix.length);
  const fixed = new Map<string, string[]>([
    // Only these are documented both with and without a slash at the end.
    ['/videos', ['GET']],
    ['/videos/voices', ['GET']],
    ['/videos/lipsync', ['POST']],
    ['/files', ['POST']],
    ['/features', ['GET']],
    ['/scheduler', ['GET']],
    ['/scheduler/available', ['GET']],
  ]);
  const bare = rest.replace(/\/$/, '');
  if (fixed.get(bare)?.includes(seen.method))
    return { route: route(seen.method, bare), segment: '' };
  if (rest === '/accounts' && seen.method === 'GET') return { route: 'GET /accounts', segment: '' };
  const [, folder = '', segment = ''] = /^\/(videos|scheduler|accounts)\/([^/]+)$/.exec(rest) ?? [];
  const shape = {
    videos: '/videos/{id}',
    scheduler: '/scheduler/{id}',
    accounts: '/accounts/{email}',
  }[folder];
  const methods = { videos: 'GET DELETE', scheduler: 'DELETE', accounts: 'GET POST DELETE' }[
    folder
  ];
  if (shape === undefined || !methods?.split(' ').includes(seen.method)) return undefined;
  return { route: route(seen.method, shape), segment };
}

function route(method: string, path: string): Route {
  return `${method} ${path}` as Route;
}
