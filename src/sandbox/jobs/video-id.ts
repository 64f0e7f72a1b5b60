/** `user:<userid>-pixverse:<email>-video:<number>` */
export function formatVideoId(userId: string, email: string, number: string): string {
  return `user:${userId}-pixverse:${email}-video:${number}`;
}

/** The account and the number in a video id. An e-mail may contain `-video:`, so the last one counts. */
export function parseVideoId(id: string): { email: string; number: string } | null {
  const match = /^user:\d+-pixverse:(.+)-video:(\d+)$/.exec(id);
  const [, email, number] = match ?? [];
  return email && number ? { email, number } : null;
}
