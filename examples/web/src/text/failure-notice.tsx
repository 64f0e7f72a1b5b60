import { Alert, Button, Group, List, Text } from '@mantine/core';
import { Icon } from '../icon.tsx';
import type { NextStep, Notice } from './notices.ts';

/** The buttons that a page offers; a step without an entry has no button. */
export type NextSteps = Partial<Record<NextStep, { label: string; act: () => void }>>;

/** Its role `alert` makes screen readers read it when it appears. */
export function FailureNotice({ notice, steps = {} }: { notice: Notice; steps?: NextSteps }) {
  const { title, advice, details = [], step } = notice;
  const button = steps[step];
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
      {button !== undefined && (
        <Group mt="sm">
          <Button size="xs" variant="default" onClick={button.act}>
            {button.label}
          </Button>
        </Group>
      )}
    </Alert>
  );
}
