// biome-ignore-all lint/performance/noBarrelFile: this file is the public API of the subpath /react.
'use client';

export type { LipsyncEnded } from '../streams/wait.ts';
export type { CancelState, LipsyncState } from './lipsync-store.ts';
export type { MakeState } from './make-store.ts';
export { LipsyncProvider, type LipsyncProviderProps } from './provider.ts';
export type { UploadRefusal, UploadSource, UploadState } from './upload-store.ts';
export { type FollowedLipsync, useLipsync, useSuspenseLipsync } from './use-lipsync.ts';
export { type LipsyncMaker, useMakeLipsync } from './use-make-lipsync.ts';
export { type Uploader, useUpload } from './use-upload.ts';
