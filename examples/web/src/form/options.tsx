import { Stack, Switch, TextInput } from '@mantine/core';
import type { Change, Draft } from './draft.ts';
import classes from './options.module.css';

type Props = { draft: Draft; change: Change };

const mostReference = 100;

/** What few people need stays shut until it is asked for. */
export function Options({ draft, change }: Props) {
  return (
    <details className={classes.more}>
      <summary className={classes.summary}>More options</summary>
      <Stack gap="md" mt="md">
        <Switch
          label="Keep the sound of the video"
          description="What was heard before goes on beneath the new voice."
          checked={draft.keepsOriginalSound}
          onChange={({ currentTarget }) => change({ keepsOriginalSound: currentTarget.checked })}
        />
        <Switch
          label="Make it when there is little to do"
          description="Takes longer, and costs fewer credits."
          checked={draft.isOffPeak}
          onChange={({ currentTarget }) => change({ isOffPeak: currentTarget.checked })}
        />
        <Switch
          label="Wait in line when it is busy"
          description="Otherwise you are told at once that there is no place free."
          checked={draft.waitsInLine}
          onChange={({ currentTarget }) => change({ waitsInLine: currentTarget.checked })}
        />
        <TextInput
          label="Label"
          description="To find it again below."
          maxLength={mostReference}
          value={draft.reference}
          onChange={({ currentTarget }) => change({ reference: currentTarget.value })}
        />
      </Stack>
    </details>
  );
}
