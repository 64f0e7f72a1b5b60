import type { SoundWindow } from './wav-writer.ts';

/** How the file is taken apart: by its own decoder, or as any other container. */
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
