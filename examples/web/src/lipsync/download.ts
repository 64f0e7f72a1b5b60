/**
 * Saves a file of another origin. `<a download>` would only open it there, so it is read first; where that origin does not
 * let pages read, opening it is what is left.
 */
export async function download(url: string, name: string): Promise<void> {
  const answer = await fetch(url).catch(() => null);
  if (answer?.ok !== true) {
    follow({ href: url, target: '_blank', rel: 'noreferrer' });
    return;
  }
  const href = URL.createObjectURL(await answer.blob());
  follow({ href, download: name });
  // The browser has begun by the next turn, and else keeps the whole file in memory.
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}

function follow(link: Partial<HTMLAnchorElement>): void {
  Object.assign(document.createElement('a'), link).click();
}
