/** A browser that has not answered by then does not know the format. */
const timeoutMs = 10_000;

/**
 * The duration of a sound in seconds; null if this browser cannot play it. Only the header is read, except for a recording
 * of a browser, which has no duration in it.
 */
export async function measureSeconds(file: Blob): Promise<number | null> {
  const url = URL.createObjectURL(file);
  const audio = new Audio();
  try {
    audio.preload = 'metadata';
    audio.src = url;
    if (!(await happens(audio, 'loadedmetadata'))) return null;
    if (audio.duration === Number.POSITIVE_INFINITY) {
      // The browser finds the end when it seeks there.
      audio.currentTime = Number.MAX_SAFE_INTEGER;
      await happens(audio, 'durationchange');
    }
    return Number.isFinite(audio.duration) ? audio.duration : null;
  } finally {
    audio.removeAttribute('src');
    audio.load();
    URL.revokeObjectURL(url);
  }
}

function happens(audio: HTMLAudioElement, name: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), timeoutMs);
  audio.addEventListener(name, () => resolve(true), { once: true });
  audio.addEventListener('error', () => resolve(false), { once: true });
  return promise.finally(() => clearTimeout(timer));
}
