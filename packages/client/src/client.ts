// biome-ignore-all lint/performance/noBarrelFile: this file is the package's public API.

export { type BackOff, retryWait } from './back-off.ts';
export { documents, type ResultOf, type TypedDocument, type VariablesOf } from './documents.ts';
export { LipsyncConnectionError, LipsyncRequestError, LipsyncServerError } from './errors.ts';
export type { LipsyncHooks, RequestInfo, ResponseInfo, RetryInfo } from './hooks.ts';
export { type CancelLipsyncAnswer, cancelLipsync } from './lipsyncs/cancel.ts';
export { type CreateLipsyncAnswer, createLipsync } from './lipsyncs/create.ts';
export { type CreateLipsyncsAnswer, createLipsyncs } from './lipsyncs/create-many.ts';
export { type DeleteLipsyncAnswer, deleteLipsync } from './lipsyncs/delete.ts';
export { type EstimateLipsyncAnswer, estimateLipsync } from './lipsyncs/estimate.ts';
export { type GetLipsyncAnswer, getLipsync } from './lipsyncs/get.ts';
export { type LipsyncPage, type ListOptions, listLipsyncs } from './lipsyncs/list.ts';
export { type CreateFailure, type MakeOptions, makeLipsync } from './lipsyncs/make.ts';
export { LipsyncNotMadeError, makeLipsyncOrThrow } from './lipsyncs/make-or-throw.ts';
export {
  type CreateLipsyncInput,
  type EstimateLipsyncInput,
  type ImportUploadInput,
  type LipsyncCharge,
  type LipsyncErrorCode,
  type LipsyncFilter,
  type LipsyncStatus,
  possibleTypes,
  type UploadKind,
} from './operations.ts';
export type { FieldFailure, FutureError, LipsyncFailure } from './result.ts';
export type { LipsyncServer } from './server.ts';
export type {
  LipsyncEvent,
  LipsyncUpdate,
  WatchableServer,
  WatchFailure,
} from './streams/log-reader.ts';
export { resumable } from './streams/resumable.ts';
export { type ServerSentEventsOptions, serverSentEvents } from './streams/sse.ts';
export type { Sink, Transport } from './streams/transport.ts';
export {
  type Lipsync,
  type LipsyncEnd,
  type LipsyncVideo,
  type WaitOptions,
  waitForLipsync,
} from './streams/wait.ts';
export { type WatchOptions, watchLipsync, watchLipsyncs } from './streams/watch.ts';
export { type WebSocketOptions, webSocket } from './streams/websocket.ts';
export { type ImportUploadAnswer, importUpload } from './uploads/import-upload.ts';
export type { OnProgress } from './uploads/put.ts';
export { type UploadAnswer, type UploadOptions, uploadFile } from './uploads/upload.ts';
export { type ViewerAnswer, viewer } from './viewer.ts';
