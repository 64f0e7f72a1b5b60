import {
  ActionIcon,
  Button,
  Container,
  Group,
  Loader,
  Text,
  Title,
  useComputedColorScheme,
  useMantineColorScheme,
} from '@mantine/core';
import classes from './app.module.css';
import { Icon } from './icon.tsx';
import { Providers, type TokenProps } from './session/providers.tsx';
import { SignIn } from './session/sign-in.tsx';
import { useViewer } from './session/viewer.ts';
import { Studio } from './studio.tsx';
import { FailureNotice } from './text/failure-notice.tsx';
import { explainQueryError } from './text/query-error.ts';

export function App() {
  return <Providers>{(props) => <Page {...props} />}</Providers>;
}

function Page({ token, onToken }: TokenProps) {
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

/** Shows the sign-in form if the server requires a token. */
function Gate({ token, onToken }: TokenProps) {
  const [{ data, error, fetching }, refetch] = useViewer();
  if (data !== undefined) {
    if (data.viewer.scopes.length > 0) return <Studio onSignIn={() => onToken(null)} />;
    return <SignIn isTokenRejected={token !== null} onToken={onToken} />;
  }
  const needsToken = error?.graphQLErrors.some(
    ({ extensions }) => extensions.code === 'NOT_AUTHENTICATED',
  );
  if (needsToken === true) return <SignIn isTokenRejected={token !== null} onToken={onToken} />;
  if (fetching) {
    return (
      <Group justify="center" py="xl" role="status">
        <Loader size="sm" />
        <Text c="dimmed">Connecting…</Text>
      </Group>
    );
  }
  const retry = () => refetch({ requestPolicy: 'network-only' });
  return (
    <FailureNotice
      notice={explainQueryError(error)}
      steps={{ TRY_AGAIN: { label: 'Try again', act: retry } }}
    />
  );
}

/** Follows the system setting until the user chooses a scheme. */
function SchemeToggle() {
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false });
  const other = scheme === 'dark' ? 'light' : 'dark';
  return (
    <ActionIcon
      variant="default"
      size="lg"
      aria-label={`Switch to ${other} mode`}
      onClick={() => setColorScheme(other)}
    >
      <Icon name={other === 'dark' ? 'moon' : 'sun'} />
    </ActionIcon>
  );
}
