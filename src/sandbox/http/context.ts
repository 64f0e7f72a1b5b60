import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { SandboxState } from '../state.ts';
import type { LoggedRequest } from '../storage/request-log.ts';
import type { ConnectionFault } from './connection.ts';

export type SandboxEnv = {
  Bindings: HttpBindings & { state: SandboxState };
  /** Set for requests to the API only. */
  Variables: { logged: LoggedRequest; connectionFault: ConnectionFault | undefined };
};

/** One request. `c.env` has the sandbox's state, and Node's own request and response. */
export type SandboxContext = Context<SandboxEnv>;
