import type { ServerResponse } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { SandboxState } from '../state.ts';
import type { LoggedRequest } from '../storage/request-log.ts';

export type SandboxEnv = {
  Bindings: HttpBindings & { state: SandboxState };
  /** Set for requests to the API only. */
  Variables: { logged: LoggedRequest; connectionFault: ConnectionFault | undefined };
};

/** One request. `c.env` has the sandbox's state, and Node's own request and response. */
export type SandboxContext = Context<SandboxEnv>;

/** What a client gets instead of a whole response. It is applied last, after every delay. */
export type ConnectionFault = {
  /** The status that the request log shows. */
  loggedAs: number | 'cut' | 'hang';
  apply(response: ServerResponse): Promise<void> | void;
};
