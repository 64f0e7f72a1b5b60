export type DownloadOutcome =
  | 'SAVED'
  /** The browser opened the file in a new tab: its server lets no page read it, or could not be reached. */
  | 'OPENED'
  /** The video service does not have it any more. */
  | 'GONE';

/**
 * Saves a file of another origin. Browsers ignore the name in `<a download>` for such a file and only open it, so it is
 * fetched first, which its server must allow by CORS.
 */
export async function download(url: string, name: string): Promise<DownloadOutcome> {
  const response = await fetch(url).catch(() => null);
  if (response?.status === 404 || response?.status === 410) return 'GONE';
  if (response?.ok !== true) {
    clickLink({ href: url, target: '_blank', rel: 'noreferrer' });
    return 'OPENED';
  }
  const href = URL.createObjectURL(await response.blob());
  clickLink({ href, download: name });
  // Released after the download has started, because the browser keeps the whole file in memory.
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
  return 'SAVED';
}

function clickLink(attributes: Partial<HTMLAnchorElement>): void {
  Object.assign(document.createElement('a'), attributes).click();
}
