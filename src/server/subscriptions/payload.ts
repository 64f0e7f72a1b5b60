import type { ExecutionResult } from 'graphql';

const encoder = new TextEncoder();

/** How a transport writes a payload. One object for each format, because a payload caches its bytes under that object. */
type FrameFormat = { frame(json: string, cursor: string | null): string };

/** A result as the transports send it. It is serialised once, for all subscribers that receive it. */
export class Payload {
  readonly result: ExecutionResult;
  /** The cursor of the event, so that event streams send it as `id:` whether or not the client selected it. */
  readonly cursor: string | null;
  /** Set by the first subscription that is charged for it. */
  cost: number | undefined;
  #json: string | null = null;
  #frames: Map<FrameFormat, Uint8Array> | null = null;

  constructor(result: ExecutionResult, cursor: string | null = null) {
    this.result = result;
    this.cursor = cursor;
  }

  get json(): string {
    this.#json ??= JSON.stringify(this.result);
    return this.#json;
  }

  /** The bytes in this format. */
  frame(format: FrameFormat): Uint8Array {
    const known = this.#frames?.get(format);
    if (known !== undefined) return known;
    const frame = encoder.encode(format.frame(this.json, this.cursor));
    this.#frames ??= new Map();
    this.#frames.set(format, frame);
    return frame;
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
