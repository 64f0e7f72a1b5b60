/** The URLs of finished videos by the ids of their lip-syncs: your own database replaces this. */
const urls = new Map<string, string | null>();

export function saveVideo(lipsyncId: string, url: string | null): void {
  urls.set(lipsyncId, url);
}

export function findVideo(lipsyncId: string): string | null {
  return urls.get(lipsyncId) ?? null;
}
