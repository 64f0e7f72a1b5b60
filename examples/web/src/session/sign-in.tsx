import { Button, Paper, PasswordInput, Stack, Text, Title } from '@mantine/core';
import { type SubmitEvent, useState } from 'react';

type Props = {
  /** The server rejected the current token. */
  isTokenRejected: boolean;
  onToken: (token: string) => void;
};

export function SignIn({ isTokenRejected, onToken }: Props) {
  const [token, setToken] = useState('');
  return (
    <Paper component="section" aria-labelledby="sign-in" p="xl" withBorder maw={460} mx="auto">
      <form
        onSubmit={(event: SubmitEvent) => {
          event.preventDefault();
          if (token.trim() !== '') onToken(token.trim());
        }}
      >
        <Stack>
          <Title order={2} size="h3" id="sign-in">
            Sign in
          </Title>
          <Text c="dimmed">This server requires an access token. Ask its operator for one.</Text>
          <PasswordInput
            label="Access token"
            description="Stored for this tab only."
            autoComplete="off"
            data-autofocus
            value={token}
            onChange={({ currentTarget }) => setToken(currentTarget.value)}
            error={isTokenRejected && 'This token is invalid or expired.'}
            visibilityToggleButtonProps={{ 'aria-label': 'Show token' }}
          />
          <Button type="submit">Sign in</Button>
        </Stack>
      </form>
    </Paper>
  );
}
