import { Stack, Switch, TextInput } from '@mantine/core';
import type { Change, Draft } from './draft.ts';
import classes from './options.module.css';

type Props = { draft: Draft; change: Change };

const maxLabelLength = 100;

/** Rarely used options, collapsed by default. */
export function Options({ draft, change }: Props) {
  return (
    <details>
      <summary className={classes.summary}>More options</summary>
      <Stack gap="md" mt="md">
        <Switch
          label="Keep the original sound"
          description="Plays it under the new voice."
          checked={draft.keepsOriginalSound}
          onChange={({ currentTarget }) => change({ keepsOriginalSound: currentTarget.checked })}
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
      </Stack>
    </details>
  );
}
