import { ALL_FORMATS, FilePathSource, Input } from 'mediabunny';

/** The kinds of the tracks of a media file, sorted, and the seconds of its sound and of the whole. */
export async function demux(path: string) {
  const input = new Input({ source: new FilePathSource(path), formats: ALL_FORMATS });
  try {
    const tracks = await input.getTracks();
    const audio = await input.getPrimaryAudioTrack();
    return {
      kinds: tracks.map(({ type }) => type).toSorted(),
      audioSeconds: (await audio?.computeDuration()) ?? 0,
      seconds: await input.computeDuration(),
    };
  } finally {
    input.dispose();
  }
}
