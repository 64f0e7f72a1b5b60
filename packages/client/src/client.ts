// biome-ignore-all lint/performance/noBarrelFile: this file is the package's public API.

export { type BackOff, retryWait } from './back-off.ts';
export { type CancelLipsyncAnswer, cancelLipsync } from './cancel.ts';
export { type CreateLipsyncAnswer, createLipsync } from './create.ts';
export { documents, type ResultOf, type TypedDocument, type VariablesOf } from './documents.ts';
export { LipsyncConnectionError, LipsyncRequestError, LipsyncServerError } from './errors.ts';
export type { LipsyncHooks, RequestInfo, ResponseInfo, RetryInfo } from './hooks.ts';
export { type ImportUploadAnswer, importUpload } from './import-upload.ts';
export { type CreateLipsyncsAnswer, createLipsyncs } from './lipsyncs/create-many.ts';
export { type DeleteLipsyncAnswer, deleteLipsync } from './lipsyncs/delete.ts';
export { type EstimateLipsyncAnswer, estimateLipsync } from './lipsyncs/estimate.ts';
export { type GetLipsyncAnswer, getLipsync } from './lipsyncs/get.ts';
export { type LipsyncPage, type ListOptions, listLipsyncs } from './lipsyncs/list.ts';
export type { LipsyncEvent, LipsyncUpdate, WatchableServer, WatchFailure } from './log-reader.ts';
export { type CreateFailure, type MakeOptions, makeLipsync } from './make.ts';
export { LipsyncNotMadeError, makeLipsyncOrThrow } from './make-or-throw.ts';
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
export type { OnProgress } from './put.ts';
export type { FieldFailure, FutureError, LipsyncFailure } from './result.ts';
export { resumable } from './resumable.ts';
export type { LipsyncServer } from './server.ts';
export { type ServerSentEventsOptions, serverSentEvents } from './sse.ts';
export type { Sink, Transport } from './transport.ts';
export { type UploadAnswer, type UploadOptions, uploadFile } from './upload.ts';
export { type ViewerAnswer, viewer } from './viewer.ts';
export {
  type Lipsync,
  type LipsyncEnd,
  type LipsyncVideo,
  type WaitOptions,
  waitForLipsync,
} from './wait.ts';
export { type WatchOptions, watchLipsync, watchLipsyncs } from './watch.ts';
export { type WebSocketOptions, webSocket } from './websocket.ts';
