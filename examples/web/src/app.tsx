import {
  ActionIcon,
  Button,
  Container,
  Group,
  Loader,
  MantineProvider,
  Text,
  Title,
  useComputedColorScheme,
  useMantineColorScheme,
} from '@mantine/core';
import classes from './app.module.css';
import { Icon } from './icon.tsx';
import { SessionProvider } from './session/session.tsx';
import { SignIn } from './session/sign-in.tsx';
import { useToken } from './session/token.ts';
import { useViewer } from './session/viewer.ts';
import { Studio } from './studio.tsx';
import { resolveVariables, theme } from './theme.ts';
import { FailureNotice } from './text/failure-notice.tsx';
import { explainRead } from './text/query-error.ts';

export function App() {
  const [token, setToken] = useToken();
  return (
    <MantineProvider
      theme={theme}
      cssVariablesResolver={resolveVariables}
      defaultColorScheme="auto"
    >
      <SessionProvider key={token} token={token}>
        <Page token={token} onToken={setToken} />
      </SessionProvider>
    </MantineProvider>
  );
}

type PageProps = { token: string | null; onToken: (token: string | null) => void };

function Page({ token, onToken }: PageProps) {
  return (
    <>
      <header className={classes.header}>
        <Container size="lg" className={classes.bar}>
          <Group gap={10} wrap="nowrap">
            <img src="/icon.svg" alt="" width={32} height={32} />
            <Title order={1} size="h4">
              Lip-sync studio
            </Title>
          </Group>
          <Group gap="xs" wrap="nowrap">
            {token !== null && (
              <Button variant="subtle" size="compact-sm" onClick={() => onToken(null)}>
                Sign out
              </Button>
            )}
            <SchemeToggle />
          </Group>
        </Container>
      </header>
      <Container component="main" size="lg" className={classes.main}>
        <Gate token={token} onToken={onToken} />
      </Container>
    </>
  );
}

/** Asks for a token where the server wants one. */
function Gate({ token, onToken }: PageProps) {
  const [{ data, error, fetching }, ask] = useViewer();
  if (data !== undefined) {
    if (data.viewer.scopes.length > 0) return <Studio onSignIn={() => onToken(null)} />;
    return <SignIn wasRefused={token !== null} onToken={onToken} />;
  }
  const isRefused = error?.graphQLErrors.some(
    ({ extensions }) => extensions.code === 'NOT_AUTHENTICATED',
  );
  if (isRefused === true) return <SignIn wasRefused={token !== null} onToken={onToken} />;
  if (fetching) {
    return (
      <Group justify="center" py="xl" role="status">
        <Loader size="sm" />
        <Text c="dimmed">Looking for the server…</Text>
      </Group>
    );
  }
  const again = () => ask({ requestPolicy: 'network-only' });
  return (
    <FailureNotice
      words={explainRead(error)}
      steps={{ TRY_AGAIN: { label: 'Try again', act: again } }}
    />
  );
}

/** What the system prefers, until somebody says otherwise. */
function SchemeToggle() {
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false });
  const other = scheme === 'dark' ? 'light' : 'dark';
  return (
    <ActionIcon
      variant="default"
      size="lg"
      aria-label={`Use the ${other} colours`}
      onClick={() => setColorScheme(other)}
    >
      <Icon name={other === 'dark' ? 'moon' : 'sun'} />
    </ActionIcon>
  );
}
