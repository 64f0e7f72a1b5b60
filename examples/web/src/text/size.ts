/** Decimal units, as browsers and phones use for files. */
const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte'];

/** `812 kB`, `4.2 MB` */
export function describeBytes(bytes: number): string {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
  const format = new Intl.NumberFormat('en', {
    style: 'unit',
    unit: units[power] ?? 'byte',
    maximumFractionDigits: power < 2 ? 0 : 1,
  });
  return format.format(bytes / 1_000 ** power);
}

/** `1.2 MB of 4.5 MB`. The total is null if the server of a URL does not announce it. */
export function describeReceived(bytes: number, total: number | null): string {
  const received = describeBytes(bytes);
  return total === null ? received : `${received} of ${describeBytes(total)}`;
}
