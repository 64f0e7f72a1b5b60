import type { PathFault, SwitchStore } from './switches.ts';

/** The first fault that matches this request. It is counted down, and removed after the last time. */
export function takePathFault(
  switches: SwitchStore,
  request: { method: string; path: string },
): PathFault | undefined {
  const faults = switches.current.failPath ?? [];
  const match = faults.find((fault) => matches(fault, request));
  if (!match) return undefined;
  const remaining = faults.flatMap((fault) => {
    if (fault !== match) return [fault];
    return fault.times > 1 ? [{ ...fault, times: fault.times - 1 }] : [];
  });
  switches.set({ failPath: remaining.length > 0 ? remaining : null });
  return match;
}

function matches(fault: PathFault, request: { method: string; path: string }): boolean {
  if (fault.method !== undefined && fault.method !== request.method) return false;
  if (fault.path.endsWith('*')) return request.path.startsWith(fault.path.slice(0, -1));
  return fault.path.replace(/(.)\/$/, '$1') === request.path;
}
