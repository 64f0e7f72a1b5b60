import { Button, Group, Stack, Switch, Text, TextInput } from '@mantine/core';
import type { Change, Draft, FurtherSettings } from './draft.ts';
import classes from './options.module.css';

type Props = { draft: Draft; change: Change };

/** The limit of the server. */
const maxLabelLength = 1_024;

/** Rarely used options, collapsed by default. */
export function Options({ draft, change }: Props) {
  return (
    <details>
      <summary className={classes.summary}>More options</summary>
      <Stack gap="md" mt="md">
        <Switch
          label="Keep the original sound"
          description="Plays it under the new voice."
          checked={draft.keepOriginalSound === true}
          onChange={({ currentTarget }) => change({ keepOriginalSound: currentTarget.checked })}
        />
        <Switch
          label="Off-peak: slower, cheaper"
          checked={draft.isOffPeak}
          onChange={({ currentTarget }) => change({ isOffPeak: currentTarget.checked })}
        />
        <Switch
          label="Wait in the queue when busy"
          description="If off, the request fails when no slot is free."
          checked={draft.waitsInQueue}
          onChange={({ currentTarget }) => change({ waitsInQueue: currentTarget.checked })}
        />
        <TextInput
          label="Label"
          description="To filter your lip-syncs."
          maxLength={maxLabelLength}
          value={draft.reference}
          onChange={({ currentTarget }) => change({ reference: currentTarget.value })}
        />
        <Further further={draft.further} onRemove={() => change({ further: {} })} />
      </Stack>
    </details>
  );
}

function Further({ further, onRemove }: { further: FurtherSettings; onRemove: () => void }) {
  const texts = describeFurther(further);
  if (texts.length === 0) return null;
  return (
    <Group justify="space-between" gap="sm">
      <Text size="sm">As before: {texts.join(', ')}.</Text>
      <Button variant="default" size="compact-sm" onClick={onRemove}>
        Remove these settings
      </Button>
    </Group>
  );
}

function describeFurther({ maxJobs, maxCredits, callbackUrl }: FurtherSettings): string[] {
  return [
    maxJobs != null && `at most ${maxJobs} jobs at a time`,
    maxCredits != null && `at most ${maxCredits} credits`,
    callbackUrl != null && `webhooks to ${callbackUrl}`,
  ].filter((text) => text !== false);
}
