/** Stroke paths in a 24 × 24 view box. An icon package would be larger than the rest of this page. */
const paths = {
  play: 'M7 4.5v15l12-7.5z',
  pause: 'M8 5v14M16 5v14',
  stop: 'M6 6h12v12H6z',
  upload: 'M12 16V4m-5 5 5-5 5 5M4 20h16',
  download: 'M12 4v12m-5-5 5 5 5-5M4 20h16',
  microphone:
    'M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3zM5 11a7 7 0 0 0 14 0M12 18v3m-3 0h6',
  check: 'm5 12.500 4.500 4.500L19 7.500',
  close: 'M6 6l12 12M18 6 6 18',
  warning: 'M12 4 2.500 20h19zM12 10v4m0 3v.1',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2m0 16v2M4.900 4.900l1.400 1.400m11.400 11.400 1.400 1.400M2 12h2m16 0h2M4.900 19.100l1.400-1.400M17.700 6.300l1.400-1.400',
  moon: 'M20 14.500A8.500 8.500 0 0 1 9.500 4a8.500 8.500 0 1 0 10.500 10.500z',
  film: 'M4 5h16v14H4zM8 5v14m8-14v14M4 9.500h4m-4 5h4m8-5h4m-4 5h4',
  again: 'M4 12a8 8 0 1 0 2.500-5.800L4 8.500M4 4v4.500h4.500',
  left: 'm14.500 6-6 6 6 6',
  right: 'm9.500 6 6 6-6 6',
  offline:
    'M3 3l18 18M8.500 15.500a5 5 0 0 1 6.500-.4M5 12a10 10 0 0 1 3.800-2.400M19 12a10 10 0 0 0-6.400-2.900M12 19.500v.1',
  text: 'M5 6h14M12 6v13m-3 0h6',
  file: 'M6 3h8l4 4v14H6zM14 3v4h4M9.500 16.500a1.500 1.500 0 1 0 3 0v-5l2.500 1',
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  const isFilled = name === 'play' || name === 'stop';
  return (
    <svg
      aria-hidden="true"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill={isFilled ? 'currentColor' : 'none'}
      stroke="currentColor"
      strokeWidth="1.8"
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      <path d={paths[name]} />
    </svg>
  );
}
