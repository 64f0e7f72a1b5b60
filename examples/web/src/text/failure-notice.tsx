import { Alert, Button, Group, List, Text } from '@mantine/core';
import { Icon } from '../icon.tsx';
import type { Step, Words } from './notices.ts';

/** What can be offered here for a step; a step that is left out gets no button. */
export type Steps = Partial<Record<Step, { label: string; act: () => void }>>;

/** It is an alert for screen readers too: it reads itself out when it appears. */
export function FailureNotice({ words, steps = {} }: { words: Words; steps?: Steps }) {
  const { title, advice, details = [], step } = words;
  const offer = steps[step];
  return (
    <Alert color="red" variant="light" title={title} icon={<Icon name="warning" />}>
      <Text size="sm">{advice}</Text>
      {details.length > 0 && (
        <List size="sm" mt="xs" withPadding={false}>
          {details.map((detail) => (
            <List.Item key={detail}>{detail}</List.Item>
          ))}
        </List>
      )}
      {offer !== undefined && (
        <Group mt="sm">
          <Button size="xs" variant="default" onClick={offer.act}>
            {offer.label}
          </Button>
        </Group>
      )}
    </Alert>
  );
}
