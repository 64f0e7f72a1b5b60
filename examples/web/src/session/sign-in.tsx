import { Button, Paper, PasswordInput, Stack, Text, Title } from '@mantine/core';
import { type SubmitEvent, useState } from 'react';

type Props = {
  /** There is one already, and it does not hold. */
  wasRefused: boolean;
  onToken: (token: string) => void;
};

export function SignIn({ wasRefused, onToken }: Props) {
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
          <Text c="dimmed">
            This server asks who you are. Those who run it give out access tokens.
          </Text>
          <PasswordInput
            label="Access token"
            description="Kept for this tab alone."
            autoComplete="off"
            data-autofocus
            value={token}
            onChange={({ currentTarget }) => setToken(currentTarget.value)}
            error={wasRefused && 'This token does not hold. It may have expired.'}
            visibilityToggleButtonProps={{ 'aria-label': 'Show the token' }}
          />
          <Button type="submit">Sign in</Button>
        </Stack>
      </form>
    </Paper>
  );
}
