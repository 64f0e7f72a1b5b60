// biome-ignore-all lint/performance/noBarrelFile: this file is the package's public API.

export { type BackOff, retryWait } from './back-off.ts';
export { type CancelLipsyncAnswer, cancelLipsync } from './cancel.ts';
export { type CreateLipsyncAnswer, createLipsync } from './create.ts';
export type { ResultOf, TypedDocument, VariablesOf } from './documents.ts';
export * as documents from './documents.ts';
export { LipsyncConnectionError, LipsyncRequestError } from './errors.ts';
export { type CreateFailure, type MakeOptions, makeLipsync } from './make.ts';
export {
  type CreateLipsyncInput,
  type LipsyncCharge,
  type LipsyncErrorCode,
  type LipsyncStatus,
  possibleTypes,
  type UploadKind,
} from './operations.ts';
export type { OnProgress } from './put.ts';
export type { FutureError, LipsyncFailure } from './result.ts';
export { resumable } from './resumable.ts';
export type { LipsyncServer } from './server.ts';
export { type ServerSentEventsOptions, serverSentEvents } from './sse.ts';
export type { Sink, Transport } from './transport.ts';
export { type UploadAnswer, type UploadOptions, uploadFile } from './upload.ts';
export {
  type Lipsync,
  type LipsyncEnd,
  type LipsyncVideo,
  type WaitOptions,
  waitForLipsync,
} from './wait.ts';
export {
  type LipsyncEvent,
  type LipsyncUpdate,
  type WatchableServer,
  type WatchFailure,
  type WatchOptions,
  watchLipsync,
} from './watch.ts';
export { type WebSocketOptions, webSocket } from './websocket.ts';
