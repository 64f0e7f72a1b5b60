/** What the page calls an upload: the name of its file, or the end of its URL. */
export function nameOf(upload: { filename: string | null; sourceUrl: string | null }): string {
  if (upload.filename !== null && upload.filename !== '') return upload.filename;
  return upload.sourceUrl === null ? 'Your file' : nameOfUrl(upload.sourceUrl);
}

export function nameOfUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null) return text;
  const last = url.pathname.split('/').at(-1) ?? '';
  try {
    return decodeURIComponent(last) || url.hostname;
  } catch {
    return last;
  }
}
