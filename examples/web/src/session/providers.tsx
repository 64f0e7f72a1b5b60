import { MantineProvider } from '@mantine/core';
import type { ReactNode } from 'react';
import { resolveVariables, theme } from '../theme.ts';
import { SessionProvider } from './session.tsx';
import { useToken } from './token.ts';

export type TokenProps = { token: string | null; onToken: (token: string | null) => void };

/** What every page needs: the theme, and the session of the stored token. */
export function Providers({ children }: { children: (props: TokenProps) => ReactNode }) {
  const [token, setToken] = useToken();
  return (
    <MantineProvider
      theme={theme}
      cssVariablesResolver={resolveVariables}
      defaultColorScheme="auto"
    >
      <SessionProvider key={token} token={token}>
        {children({ token, onToken: setToken })}
      </SessionProvider>
    </MantineProvider>
  );
}
