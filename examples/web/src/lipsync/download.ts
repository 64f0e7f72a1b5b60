/**
 * Saves a file of another origin. `<a download>` would only open it, so it is fetched first. If CORS forbids that, it is
 * opened in a new tab.
 */
export async function download(url: string, name: string): Promise<void> {
  const response = await fetch(url).catch(() => null);
  if (response?.ok !== true) {
    clickLink({ href: url, target: '_blank', rel: 'noreferrer' });
    return;
  }
  const href = URL.createObjectURL(await response.blob());
  clickLink({ href, download: name });
  // Released after the download has started, because the browser keeps the whole file in memory.
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}

function clickLink(attributes: Partial<HTMLAnchorElement>): void {
  Object.assign(document.createElement('a'), attributes).click();
}
