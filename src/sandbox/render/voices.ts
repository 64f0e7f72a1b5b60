/**
 * The 14 voices. 1 to 5 are on useapi.net's own page; 6 to 14 are from PixVerse's list and presumed to be the same.
 * `pitchHz` is ours: it makes the placeholder speech of each voice sound different.
 */
export const voices = [
  { id: '1', name: 'Emily', pitchHz: 205 },
  { id: '2', name: 'James', pitchHz: 112 },
  { id: '3', name: 'Isabella', pitchHz: 220 },
  { id: '4', name: 'Liam', pitchHz: 124 },
  { id: '5', name: 'Chloe', pitchHz: 235 },
  { id: '6', name: 'Adrian', pitchHz: 105 },
  { id: '7', name: 'Harper', pitchHz: 190 },
  { id: '8', name: 'Ava', pitchHz: 228 },
  { id: '9', name: 'Sophia', pitchHz: 212 },
  { id: '10', name: 'Julia', pitchHz: 198 },
  { id: '11', name: 'Mason', pitchHz: 118 },
  { id: '12', name: 'Jack', pitchHz: 130 },
  { id: '13', name: 'Oliver', pitchHz: 98 },
  { id: '14', name: 'Ethan', pitchHz: 136 },
] as const;

export type TtsEntry = { speaker_id: string; url: string; display_name: string };

export function listVoices(origin: string): TtsEntry[] {
  return voices.map(({ id, name }) => ({
    speaker_id: id,
    // The real list has a newline after the third url, which clients must trim.
    url: `${origin}/media/voices/${id}.mp3${id === '3' ? '\n' : ''}`,
    display_name: name,
  }));
}
