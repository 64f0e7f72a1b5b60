/*
 * The used part of Aurora.js, the package `av`, which has no types of its own.
 */

export type AvBuffer = { readonly data: Uint8Array };
export type AvFormat = {
  formatID: string;
  sampleRate: number;
  channelsPerFrame: number;
  bitsPerChannel: number;
};
export type AvEvents = {
  // biome-ignore lint/suspicious/noExplicitAny: each event has a value of its own
  on(event: string, listener: (value: any) => void): void;
  emit(event: string, value?: unknown): void;
};
export type AvDecoder = {
  stream: { remainingBytes(): number };
  readChunk(): ArrayLike<number> | undefined;
};
export type AvModule = {
  EventEmitter: new () => AvEvents;
  Buffer: new (bytes: Uint8Array) => AvBuffer;
  Decoder: { find(id: string): (new (demuxer: AvEvents, format: AvFormat) => AvDecoder) | null };
};
