import { useSessionStorage } from '@mantine/hooks';

/** Stored for this tab, until it is closed. */
export function useToken() {
  return useSessionStorage<string | null>({
    key: 'token',
    defaultValue: null,
    getInitialValueInEffect: false,
  });
}
