import type { ExecutionResult } from 'graphql';

const encoder = new TextEncoder();

/** A result as the doors send it. It is serialised once, for all subscribers that receive it. */
export class Payload {
  readonly result: ExecutionResult;
  /** The cursor of the event, so that event streams send it as `id:` whether or not the client selected it. */
  readonly cursor: string | null;
  /** Set by the first subscription that is charged for it. */
  cost: number | undefined;
  #json: string | null = null;
  #frame: Uint8Array | null = null;

  constructor(result: ExecutionResult, cursor: string | null = null) {
    this.result = result;
    this.cursor = cursor;
  }

  get json(): string {
    this.#json ??= JSON.stringify(this.result);
    return this.#json;
  }

  /** As a server-sent event. */
  get frame(): Uint8Array {
    const id = this.cursor === null ? '' : `id: ${this.cursor}\n`;
    this.#frame ??= encoder.encode(`${id}event: next\ndata: ${this.json}\n\n`);
    return this.#frame;
  }

  /** A payload for one subscriber, with these extensions. What is shared is not serialised again. */
  withExtensions(extensions: Record<string, unknown>): Payload {
    const { result, cursor } = this;
    const own = new Payload(
      { ...result, extensions: { ...result.extensions, ...extensions } },
      cursor,
    );
    if (result.extensions === undefined) {
      own.#json = `${this.json.slice(0, -1)},"extensions":${JSON.stringify(extensions)}}`;
    }
    return own;
  }
}
