import type { SoundWindow } from './wav-writer.ts';

/** Selects how the file is decoded. `OTHER`: any container that is neither AIFF nor CAF. */
export type SoundContainer = 'AIFF' | 'CAF' | 'OTHER';

export type DecodeJob = {
  inputPath: string;
  /** Where the WAV is written. */
  outputPath: string;
  container: SoundContainer;
  window: SoundWindow;
};

export type DecodeResult =
  | { kind: 'decoded'; durationSeconds: number }
  | { kind: 'too-long' | 'empty-clip' | 'video-without-sound' | 'broken' };
