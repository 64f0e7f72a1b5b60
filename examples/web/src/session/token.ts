import { useSessionStorage } from '@mantine/hooks';

/** Kept for this tab alone, and gone with it. */
export function useToken() {
  return useSessionStorage<string | null>({
    key: 'token',
    defaultValue: null,
    getInitialValueInEffect: false,
  });
}
