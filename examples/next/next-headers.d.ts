/** What is used of Next.js, which is not installed here. Delete this file in an application. */
declare module 'next/headers' {
  export function cookies(): Promise<{ toString(): string }>;
}
